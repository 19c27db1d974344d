"""The commands around reading: counting, settings, models, templates."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest

SMALL = ["-s", "400"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def origins(result: Result) -> dict[str, tuple[str, str]]:
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows}


def test_a_variable_names_the_file_of_settings(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[pot]\nsize = 512\n")
    own = tmp_path / "own.toml"
    own.write_text(
        '[pot]\nsize = 256\ncache_limit = "1MiB"\n[model]\ndevice = "cpu"\naliases = { big = "./x" }\n'
        '[loaders]\nodt = "pandoc $1"\n'
    )
    monkeypatch.setenv("INFINIPOT_CONFIG", str(own))
    assert run("config", "path").stdout.strip() == str(own)
    shown = origins(run("config", "show"))
    assert shown["pot.size"] == ("256", str(own))
    assert shown["pot.cache_limit"] == ("1.0 MiB", str(own))
    assert shown["pot.budget"] == ("automatic", "default")
    assert shown["model.device"] == ("cpu", str(own))
    assert shown["model.aliases.big"] == ("./x", str(own)) and shown["loaders.odt"] == ("pandoc $1", str(own))
    monkeypatch.setenv("INFINIPOT_CONFIG", str(tmp_path / "none.toml"))
    missing = run("ask", "x.txt", "Who?")
    assert (missing.exit_code, "INFINIPOT_CONFIG" in missing.output) == (2, True)
    monkeypatch.setenv("INFINIPOT_CONFIG", "")
    assert origins(run("config", "show"))["pot.size"] == ("512", str(home / "config.toml"))


def test_a_home_that_nobody_has_stays_as_it_was_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", "~no-user/x")
    assert run("config", "path").stdout == "~no-user/x/config.toml\n"
    monkeypatch.setenv("INFINIPOT_CONFIG", "~no-user/mine.toml")
    assert run("config", "path").stdout == "~no-user/mine.toml\n"
    monkeypatch.delenv("INFINIPOT_CONFIG")
    monkeypatch.setenv("INFINIPOT_HOME", str(home))
    assert run("models", "default", "~no-user/model").exit_code == 0
    assert run("models", "default").stdout == "~no-user/model\n"


def test_info_counts_what_a_reading_would_read(story: Path, tiny_model: Path, home: Path) -> None:
    words = ["info", str(story), "-m", str(tiny_model), *SMALL]
    record = json.loads(run(*words, "--json").stdout)
    assert record["tokens"] == record["input"][0]["tokens"] == story.stat().st_size
    assert record["seconds"] is None
    session = Session(str(tiny_model), PotRequest(capacity=400))
    with session.prepare([str(story)], ask("What is the most important thing that is said here?")) as reading:
        for _ in reading.read():
            pass
        assert reading.pot.n_cycles == record["pot"]["distillations"] > 0
    run("ask", str(story), "Who?", "-m", str(tiny_model), *SMALL, "-n", "20")
    assert json.loads(run(*words, "--json").stdout)["seconds"] > 0
    plain = run(*words)
    assert plain.stdout == f"{story}\ttext\t\t{story.stat().st_size}\t{story.stat().st_size}\n"
    assert re.search(r"\d+ distillations, 6 tokens to a place · tiny-llama · about \d+ s to read", plain.stderr)


def test_settings_come_from_the_nearest_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("config", "path").stdout == f"{home}/config.toml\n"
    assert origins(run("config", "show"))["model.default"] == ("pocket", "default")
    home.mkdir()
    (home / "config.toml").write_text('[model]\ndefault = "theirs"\n[pot]\nsize = "4k"\nbudget = 100\n')
    Path("infinipot.toml").write_text("[pot]\nsize = 400\n")
    shown = origins(run("config", "show"))
    assert shown["model.default"] == ("theirs", f"{home}/config.toml")
    assert shown["pot.size"] == ("400", "infinipot.toml")
    assert shown["pot.budget"] == ("100", f"{home}/config.toml")
    monkeypatch.setenv("INFINIPOT_MODEL", "from-environment")
    assert origins(run("config", "show"))["model.default"] == ("from-environment", "INFINIPOT_MODEL")


def test_flags_win_over_the_environment_and_that_over_files(
    home: Path, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("infinipot.toml").write_text(f'[model]\ndefault = "{tiny_model}"\n[pot]\nsize = 400\nbudget = 150\n')

    def pot(*words: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(run("info", str(story), "--json", *words).stdout)
        return record.get("pot") or record["error"]

    assert (pot()["size"], pot()["budget"]) == (400, 150)
    assert pot("-s", "500")["size"] == 500
    monkeypatch.setenv("INFINIPOT_MODEL", "nonsense")
    assert pot()["code"] == "model_not_found"
    assert pot("-m", str(tiny_model))["size"] == 400


def test_sizes_of_the_settings_give_way_to_a_model_and_to_a_stored_pot(
    home: Path, story: Path, tiny_model: Path
) -> None:
    words = [str(story), "-m", str(tiny_model), "-q"]
    assert run("read", *words, "-s", "400", "--budget", "180", "--save-pot", "one").exit_code == 0
    Path("infinipot.toml").write_text('[pot]\nsize = "4k"\nbudget = 3000\n')
    sizes = json.loads(run("info", *words[:3], "--json").stdout)["pot"]
    assert sizes["size"] == 512 > sizes["budget"], "what the model was trained for"
    typed = run("info", *words[:3], "-s", "4k")
    assert typed.exit_code == 2 and "larger than the 512 tokens" in typed.stderr
    asked = run("ask", "@one", "Who?", "-n", "8", "--json")
    assert asked.exit_code == 0, asked.stderr
    assert json.loads(asked.stdout)["pot"] | {"size": 400, "budget": 180} == json.loads(asked.stdout)["pot"]
    assert run("ask", "@one", "Who?", "-n", "8", "-s", "500").exit_code == 2


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[pot]\nsiez = 4", "there is no setting pot.siez", "did you mean pot.size?"),
        ("[modle]\n", "there is no setting modle", "did you mean model?"),
        ("[templates.minutes]\nquestoin = 'x'", "templates.minutes.questoin", "templates.minutes.question?"),
        ("[pot]\nsize = true", "pot.size in", ""),
        ("[pot]\nsize = -5", "pot.size in infinipot.toml must be a size above 0, not -5", ""),
        ("[pot]\nbudget = 0", "pot.budget in infinipot.toml must be a size above 0, not 0", ""),
        ("[model]\naliases = { pocket = './x' }", "pocket is the built-in model", "another name"),
        ("[pot]\nsize = 'large'", "'large' is not a size", "4k"),
        ("[output]\ncolor = 'red'", "'auto' or 'always' or 'never'", ""),
        ("[output]\nquiet = 1", "true or false", ""),
        ("[pot", "is no valid TOML", ""),
        ("model = 3", "model in infinipot.toml must be a table", "[model]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(home: Path, text: str, message: str, hint: str) -> None:
    Path("infinipot.toml").write_text(text)
    result = run("ask", "missing.txt", "Who?")
    assert result.exit_code == 2
    assert message in result.stderr
    assert hint in result.stderr
    assert run("config", "path").exit_code == 0


def test_a_model_gets_a_short_name_and_becomes_the_default(home: Path, story: Path, tiny_model: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_bytes(b"\xef\xbb\xbf# mine\n[pot]\nsize = 400  # small\n")  # as Notepad saves it
    assert run("models", "alias", "tiny", str(tiny_model)).exit_code == 0
    assert run("models", "path", "tiny").stdout == f"{tiny_model}\n"
    assert run("models", "default").stdout == "pocket\n"
    assert run("models", "default", "tiny").exit_code == 0
    assert run("models", "default", "tiny").exit_code == 0, "again"
    assert run("models", "default").stdout == "tiny\n"
    assert json.loads(run("info", str(story), "--json").stdout)["model"] == "tiny-llama"
    assert (home / "config.toml").read_text().startswith("# mine\n[pot]\nsize = 400  # small\n")
    assert "tiny" in run("models", "list", "-q").stdout.split()
    (home / "config.toml").write_text('model = { default = "x" }\n')
    assert run("models", "default", "tiny").exit_code == 0
    assert (home / "config.toml").read_text() == 'model = { default = "tiny" }\n'
    (home / "config.toml").write_text('model = { default = "x" }  # mine\n')
    refused = run("models", "default", "tiny")
    assert (refused.exit_code, "write it there yourself" in refused.stderr) == (2, True)


def test_names_of_models_that_cannot_be_or_are_not_there_are_said(home: Path, tiny_model: Path) -> None:
    for name in ("pocket", "two words", "a/b", "", "\x1b[31m", "-x"):
        done = run("models", "alias", "--", name, str(tiny_model))
        assert (done.exit_code, "cannot be the short name" in done.stderr) == (2, True)
    assert run("models", "default", " ").exit_code == 2
    assert not (home / "config.toml").exists()
    assert "warning" not in run("models", "alias", "tiny", str(tiny_model)).stderr
    assert "warning" not in run("models", "default", "tiny").stderr
    absent = run("models", "default", "acme/nope")
    assert absent.exit_code == 0 and "warning: " in absent.stderr, "it may be fetched later"
    assert run("models", "default").stdout == "acme/nope\n"
    assert run("models", "default", "tiny").exit_code == 0
    assert "was the default model" in " ".join(run("models", "rm", "tiny", "-y").stderr.split())


def test_the_default_model_is_the_one_that_answers_whatever_names_it(
    home: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states() -> dict[str, str]:
        return {row["name"]: row["state"] for row in json.loads(run("models", "list", "--json").stdout)["rows"]}

    def default() -> str:
        assert origins(run("config", "show"))["model.default"][0] == run("models", "default").stdout.rstrip("\n")
        return run("models", "default").stdout.rstrip("\n")

    assert (default(), states()) == ("pocket", {"pocket": "default"})
    assert run("models", "alias", "tiny", str(tiny_model)).exit_code == 0
    assert "warning" not in run("models", "default", "tiny").stderr
    assert (default(), states()) == ("tiny", {"pocket": "ok", "tiny": f"alias of {tiny_model}, default"})
    Path("infinipot.toml").write_text(f'[model]\ndefault = "{tiny_model}"\naliases = {{ tiny = "./x", far = "./y" }}\n')
    told = run("models", "default", "pocket").stderr
    assert f"warning: here it is still {tiny_model}: infinipot.toml names it" in told
    assert default() == str(tiny_model) and states()["pocket"] == "ok"
    assert "it is still ./x: infinipot.toml" in run("models", "alias", "tiny", str(tiny_model)).stderr
    for name in ("tiny", "far"):
        refused = run("models", "rm", name, "-y")
        assert (refused.exit_code, f"the alias {name} stands in infinipot.toml" in refused.stderr) == (2, True)
    monkeypatch.setenv("INFINIPOT_MODEL", "Foo/Bar")
    assert default() == "Foo/Bar"
    assert "it is still Foo/Bar: INFINIPOT_MODEL names it" in run("models", "default", "pocket").stderr


def test_a_short_name_for_a_short_name_is_one_for_the_model(home: Path, tiny_model: Path) -> None:
    assert run("models", "alias", "tiny", str(tiny_model)).exit_code == 0
    assert run("models", "alias", "small", "tiny").exit_code == 0
    assert run("models", "path", "small").stdout == f"{tiny_model}\n"
    assert (
        run("models", "alias", "acme", "tiny").exit_code == 0 and run("models", "alias", "tiny", "tiny").exit_code == 0
    )


def test_aliases_in_one_line_are_changed_there(home: Path, tiny_model: Path) -> None:
    home.mkdir()
    own = home / "config.toml"
    own.write_text('[model]\naliases = { big = "./models/llama" }  \ndefault = "big"  # the usual one\n')
    assert run("models", "alias", "a.b", str(tiny_model)).exit_code == 0
    more = f', "a.b" = "{tiny_model}"'
    held = f'[model]\naliases = {{ big = "./models/llama"{more} }}\ndefault = "big"  # the usual one\n'
    assert own.read_text() == held
    assert run("models", "rm", "a.b").exit_code == 0
    assert own.read_text() == held.replace(more, "")


def test_the_file_that_a_variable_names_may_be_the_one_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "infinipot.toml").write_text('[loaders]\nodt = "pandoc $1"\n')
    assert run("config", "show").exit_code == 2, "a folder that one walks into chooses no programs"
    for named in (tmp_path / "infinipot.toml", Path("infinipot.toml"), Path("./infinipot.toml")):
        monkeypatch.setenv("INFINIPOT_CONFIG", str(named))
        assert origins(run("config", "show"))["loaders.odt"][0] == "pandoc $1"


def test_templates_are_listed_and_shown(home: Path) -> None:
    (home / "templates").mkdir(parents=True)
    (home / "templates" / "minutes.md").write_text("{document}\n\nList the decisions.\n")
    assert {"ask", "summarize", "minutes"} <= set(run("templates", "list", "-q").stdout.split())
    assert run("templates", "show", "minutes").stdout == "{document}\n\nList the decisions.\n"
    wrong = run("templates", "show", "minuets")
    assert (wrong.exit_code, "did you mean minutes?" in wrong.stderr) == (2, True)


def test_doctor_names_what_is_there(home: Path) -> None:
    Path("infinipot.toml").write_text("[pot")
    rows = {row["name"]: row for row in json.loads(run("doctor", "--json").stdout)["rows"]}
    assert rows["torch"]["state"] == "ok"
    assert rows["accelerator"]["state"] == "ok"
    assert rows["settings"]["state"] == "problem"


def test_doctor_looks_at_the_model_that_would_answer(home: Path, tiny_model: Path) -> None:
    def told() -> tuple[int, dict[str, dict[str, str]]]:
        result = run("doctor", "--json")
        return result.exit_code, {row["name"]: row for row in json.loads(result.stdout)["rows"]}

    code, rows = told()
    assert (code, rows["default model"]["detail"], rows["default model"]["state"]) == (0, "pocket", "ok")
    assert rows["settings"]["detail"] == f"{home}/config.toml (not there; the defaults hold)"
    Path("infinipot.toml").write_text('[model]\ndefault = "Other/Model"\n')
    code, rows = told()
    assert (code, rows["default model"]["state"]) == (1, "problem") and run("ask", "x", "Who?").exit_code > 0
    assert "Other/Model (infinipot.toml): model 'Other/Model' is not on" in rows["default model"]["detail"]
    assert rows["settings"]["detail"] == f"infinipot.toml; {home}/config.toml is not there"
    assert run("models", "alias", "tiny", str(tiny_model)).exit_code == 0
    Path("infinipot.toml").write_text('[model]\ndefault = "tiny"\n')
    code, rows = told()
    assert (code, rows["default model"]["detail"]) == (0, "tiny (infinipot.toml)")
    assert rows["settings"]["detail"] == f"{home}/config.toml, infinipot.toml"


def test_an_answer_says_in_json_what_it_was_made_of(home: Path, story: Path, tiny_model: Path) -> None:
    words = ["ask", str(story), "Who?", "-m", str(tiny_model), *SMALL, "-n", "20", "--json"]
    text_sum = hashlib.sha256(story.read_bytes()).hexdigest()
    read, kept, stored = (json.loads(run(*words, *more).stdout) for more in ([], [], ["--save-pot", "s", "--rebuild"]))
    asked = json.loads(run("ask", "@s", "Who?", "--json", "-n", "20").stdout)
    assert [one["input"][0]["sha256"] for one in (read, kept, stored, asked)] == 4 * [text_sum]
    assert [one["pot"]["saved"] for one in (read, kept, stored, asked)] == ["@last", "@last", "@s", "@s"]
    assert [one["timing"]["tok_s"] is None for one in (read, kept, stored, asked)] == [False, True, False, True]
    assert read["timing"]["tok_s"] == pytest.approx(read["retention"]["read"] / read["timing"]["read_s"], rel=0.05)
    piped = json.loads(run(*words[:1], *words[2:], "--lines", "2", stdin=story.read_bytes()).stdout)
    assert piped["input"][0]["sha256"] == hashlib.sha256(story.read_text().splitlines(True)[1].encode()).hexdigest()
    assert (piped["pot"]["saved"], piped["model"]["revision"]) == (None, None)


def folder_states() -> dict[str, str]:
    rows = json.loads(run("doctor", "--json").stdout)["rows"]
    return {row["name"]: row["state"] for row in rows if row["name"].endswith("folder")}


def test_settings_that_cannot_be_read_or_written_are_named_once(home: Path) -> None:
    (home / "config.toml").mkdir(parents=True)
    read = run("ask", "x.txt", "Who?").stderr.splitlines()[0]
    assert read == f"error: {home}/config.toml cannot be read: Is a directory"
    (home / "config.toml").rmdir()
    home.rmdir()
    home.write_text("a file in the place of the folder")
    written = run("models", "default", "pocket").stderr.splitlines()[0]
    assert written == f"error: {home}/config.toml cannot be changed: File exists"


def test_a_folder_that_cannot_be_written_is_known_before_anything_is_read(
    home: Path, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(folder_states().values()) == {"ok"} and not home.exists()
    home.write_text("a file in the place of the folder")
    assert set(folder_states().values()) == {"problem"}
    monkeypatch.setattr("infinipot_cli.session.Session.prepare", lambda *_, **__: pytest.fail("read in vain"))
    result = run("read", str(story), "--save-pot", "x", "-m", str(tiny_model))
    assert result.exit_code == 7 and "cannot be written" in result.stderr.splitlines()[0]


def test_a_model_cache_that_is_no_folder_is_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    cache.touch()
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(cache), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    doctor = run("doctor", "--json")
    problems = [row["detail"] for row in json.loads(doctor.stdout)["rows"] if row["state"] == "problem"]
    assert (doctor.exit_code, problems) == (0, [f"{cache} cannot be used: Not a directory"])
    listed = run("models", "list", "-q")
    assert (listed.exit_code, listed.stdout.split()) == (0, ["pocket"]) and str(cache) in listed.stderr
    removed = run("models", "rm", "org/x", "--yes")
    assert (removed.exit_code, "holds no model org/x" in removed.stderr) == (4, True)
