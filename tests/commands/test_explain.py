"""`infinipot explain` and `--explain`: kept, attended and cited, in the terminal, in JSON and in HTML."""

import io
import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pypdf
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.runs import explaining
from infinipot_cli.explain.record import RULES
from infinipot_cli.explain.trail import Trail
from tests.documents.small_pdf import pdf

SMALL = ["-s", "400", "-n", "20"]
EVIL = '</div></section><script>alert(1)</script><img src=x onerror="alert(2)"><style>*{display:none}</style>'


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


def plain_text(text: str) -> str:
    return text.translate(str.maketrans("", "", "‹›~"))


class Tags(HTMLParser):
    """Tags, attributes and text of a page as a browser would take them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.shown += data


@pytest.mark.parametrize("ahead", ["on", "off"])  # in one of them the question must distil to find room
def test_what_is_said_to_be_kept_is_what_the_answer_had(story: Path, model: list[str], ahead: str) -> None:
    words = [str(story), "What is the pass key?", *SMALL, *model, "--json", "--set", f"ahead={ahead}"]
    told = json.loads(run("explain", *words).stdout)
    asked = json.loads(run("ask", *words, "--explain").stdout)
    assert asked["explain"] == {name: told[name] for name in asked["explain"]}
    assert all(asked[name] == told[name] for name in ("answer", "input", "warnings"))
    kept = sum(part["kept"]["share"] * part["tokens"] for part in told["parts"])
    assert kept == pytest.approx(asked["retention"]["kept"], abs=0.05)
    assert sum(part["tokens"] for part in told["parts"]) == story.stat().st_size
    for part in told["parts"]:
        by_rule = sum(part["kept"][rule] for rule in RULES)
        assert part["kept"]["share"] == pytest.approx(by_rule, abs=1e-5)
    assert sum(part["attended"] for part in told["parts"]) == pytest.approx(1.0, abs=1e-4)
    assert all(any(part["cited"] for part in told["parts"]) for _ in told["sources"])
    assert len(told["passes"]) == asked["pot"]["distillations"]
    assert told["passes"][0]["n_before"] > told["passes"][0]["n_held"] == asked["pot"]["budget"]


def test_places_in_several_documents_name_theirs(tmp_path: Path, model: list[str]) -> None:
    names = [str(tmp_path / name) for name in ("one.txt", "two.txt")]
    for name in names:
        Path(name).write_text("The night was dark. " * 20)
    page = tmp_path / "report.html"
    words = ["explain", *names, "What was it?", *SMALL, *model]
    lines = [line.strip() for line in run(*words).stdout.splitlines()]
    places = [line for line in lines if " attended " in line and " kept " in line]
    assert places and all(line.startswith(tuple(f"{name} l. 1" for name in names)) for line in places)
    assert run(*words, "--html", str(page)).exit_code == 0
    assert all(f'aria-label="{name} l. 1' in page.read_text() for name in names)
    alone = run("explain", names[0], "What was it?", *SMALL, *model).stdout
    assert names[0] not in alone and "  l. 1" in alone


@pytest.mark.parametrize("ahead", ["on", "off"])
def test_what_layers_and_heads_hold_and_what_each_distillation_took_adds_up(
    story: Path, model: list[str], ahead: str
) -> None:
    words = [str(story), "What is the pass key?", *SMALL, *model, "--set", f"ahead={ahead}", "--set", "reread=0"]
    told = json.loads(run("explain", *words, "--json").stdout)
    n_passes = len(told["passes"])
    for part in told["parts"]:
        shares = [share for heads in part["slots"] for share in heads]
        assert sum(shares) / len(shares) == pytest.approx(part["kept"]["share"], abs=1e-3)
        lost = sum(share for _, share in part["evicted"])
        # entries that were never judged are in no block that was whole at a distillation
        assert part["kept"]["share"] + lost == pytest.approx(1.0, abs=0.07)
        assert all(1 <= cycle <= n_passes for cycle, _ in part["evicted"])
    assert told["parts"][0]["evicted"]


def test_what_was_read_again_counts_as_held_and_takes_nothing_from_the_rest(story: Path, model: list[str]) -> None:
    told = json.loads(run("explain", str(story), "What is the pass key?", *SMALL, *model, "--json").stdout)
    for part in told["parts"]:
        shares = [share for heads in part["slots"] for share in heads]
        assert sum(shares) / len(shares) == pytest.approx(part["kept"]["share"], abs=1e-3)
        lost = sum(share for _, share in part["evicted"])
        assert 0.93 <= part["kept"]["share"] + lost <= 1.07 + part["kept"]["reread"]
    assert sum(part["kept"]["reread"] for part in told["parts"]) > 0


def test_a_short_text_is_held_against_full_attention(
    story: Path, tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "short.txt"
    path.write_text(story.read_text()[1100:1460])
    words = ["explain", str(path), "What is the pass key?", "-s", "300", "-n", "8", *model]
    small = json.loads(run(*words, "--json").stdout)
    assert len(small["agreement"]) == len(small["parts"][0]["slots"])
    assert all(0 < share < 1 for share in small["agreement"])
    assert "agrees" in run(*words).stdout
    assert json.loads(run(*words, "-s", "500", "--json").stdout)["agreement"] is None, "nothing was distilled"
    assert json.loads(run("explain", str(story), "Which?", *SMALL, *model, "--json").stdout)["agreement"] is None
    other = tmp_path / "other.txt"
    other.write_text("The sea was calm.")
    monkeypatch.chdir(tmp_path)
    both = [words[0], path.name, other.name, *words[2:]]
    told = json.loads(run(*both, "--json").stdout)
    assert len(told["agreement"]) == len(small["agreement"]), "the names between them are known, too"


def forget_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember the text of a few blocks only."""
    monkeypatch.setitem(Trail.__init__.__kwdefaults__, "most_blocks", 6)


@pytest.fixture
def long_texts(tmp_path: Path) -> list[str]:
    """A book of pages of which many are forgotten, and a text with lines left out."""
    names = [str(tmp_path / name) for name in ("book.pdf", "notes.txt")]
    Path(names[0]).write_bytes(pdf(*(f"Page {page} says that {page * 7919} men sailed. " * 9 for page in range(1, 13))))
    Path(names[1]).write_text(
        "".join(f"In line {line} the sea was\ncalm for {line * 31} days.\n" for line in range(60))
    )
    return names


def test_what_is_told_of_pages_and_lines_is_the_same_where_their_text_is_forgotten(
    long_texts: list[str], model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["explain", *long_texts, "How many men sailed?", *SMALL, *model, "--json"]
    whole = json.loads(run(*words).stdout)
    forget_soon(monkeypatch)
    told = json.loads(run(*words).stdout)
    assert len(told["parts"]) == len(whole["parts"]) and told["untold"] == 0
    for part, other in zip(told["parts"], whole["parts"], strict=True):
        for name in ("path", "page", "label", "lines", "tokens"):
            assert part[name] == other[name]
        assert part["kept"] == pytest.approx(other["kept"], abs=2e-6)
        assert part["attended"] == pytest.approx(other["attended"], abs=2e-6)
        assert part["slots"] == other["slots"]
        # small losses of blocks are written down when they have added up, and those of joined ones add up otherwise
        lost, wholly_lost = (sum(share for _, share in one["evicted"]) for one in (part, other))
        assert lost == pytest.approx(wholly_lost, abs=0.13)
    for name in ("answer", "thirds", "longest_gap", "passes", "kept_share"):
        assert told[name] == whole[name]
    assert told["heads"]["attended"] == whole["heads"]["attended"]  # what was copied is known of remembered tokens


def test_a_page_whose_text_is_forgotten_is_there_and_says_so(
    long_texts: list[str], model: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forget_soon(monkeypatch)
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    words = ["explain", long_texts[0], "Who?", *SMALL, *model]
    shown = [run(*words, "--page", str(page)).stdout for page in range(1, 13)]
    assert all(f"p. {page}   kept" in said for page, said in enumerate(shown, 1))
    gone = [said for said in shown if "not remembered any more" in said]
    assert gone and any("its text is not remembered any more" in said.splitlines() for said in gone)
    assert run(*words, "--html", str(tmp_path / "report.html")).exit_code == 0
    assert "[…] text that is not remembered any more" in (tmp_path / "report.html").read_text("utf-8")
    assert run("read", long_texts[0], "--save-pot", "book", *SMALL[:2], *model).exit_code == 0
    stored = json.loads(run("explain", "@book", "--json").stdout)
    assert [part["page"] for part in stored["parts"]] == list(range(1, 13)) and stored["untold"] == 0
    assert sum(part["tokens"] for part in stored["parts"]) == stored["read"]
    whole = sum(part["kept"]["share"] * part["tokens"] for part in stored["parts"])
    assert whole / stored["read"] == pytest.approx(stored["kept_share"], abs=1e-5)


def test_no_part_lost_more_than_it_lacks(story: Path, model: list[str]) -> None:
    words = ["explain", str(story), "What is the pass key?", *SMALL, *model, "--pin", "The pass key is 71432", "--json"]
    for part in json.loads(run(*words).stdout)["parts"]:
        assert sum(share for _, share in part["evicted"]) <= 1 - part["kept"]["share"] + 1e-3


@pytest.mark.parametrize("wanted", ["²", "1-2", "4", "9" * 5000, "2-" + "9" * 5000, "99"])
def test_a_page_is_found_or_not_whatever_is_printed_on_it(tmp_path: Path, model: list[str], wanted: str) -> None:
    path = tmp_path / "book.pdf"
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf("One page.", "Another.", "More.", "The last."))))
    writer.set_page_label(0, 2, style="/D")
    writer.set_page_label(3, 3, prefix="²")
    writer.write(path)
    done = run("explain", str(path), "Which?", "-s", "400", "-n", "4", *model, "--page", wanted)
    assert done.exit_code == (2 if len(wanted) > 3 or wanted == "99" else 0), done.output


def test_a_stored_pot_is_explained_without_its_documents(
    story: Path, model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    assert run("read", str(story), "--save-pot", "story", "-s", "400", *model).exit_code == 0
    story.unlink()
    alone = json.loads(run("explain", "@story", "--json").stdout)
    assert alone["answer"] == alone["question"] == "" and alone["sources"] == []
    assert 0 < alone["kept_share"] < 1
    asked = json.loads(run("explain", "@story", "Which?", "-n", "5", "--json").stdout)
    assert asked["answer"] and [part["lines"] for part in asked["parts"]] == [part["lines"] for part in alone["parts"]]
    shown = run("explain", "@story")
    assert "kept most" in shown.stdout and "attended most" not in shown.stdout and "layer  1" in shown.stdout
    assert "The night was" in run("explain", "@story", "--page", "1").stdout
    page = tmp_path / "pot.html"
    assert run("explain", "@story", "--html", str(page)).exit_code == 0
    assert "What the pot holds" in page.read_text()


def test_what_a_stored_pot_has_evicted_is_said_to_be_unrecorded(
    tmp_path: Path, story: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    direct = json.loads(run("explain", str(story), "Which?", *SMALL, *model, "--json").stdout)
    assert direct["unrecorded"] == 0
    assert "is not recorded" not in run("explain", str(story), "Which?", *SMALL, *model).stdout
    assert run("read", str(story), "--save-pot", "story", *SMALL[:2], *model).exit_code == 0
    n_passes = json.loads(run("pots", "show", "story", "--json").stdout)["pot"]["numbers"]["n_cycles"]
    line = f"the pot was stored after {n_passes} distillations; what each evicted is not recorded"
    page = tmp_path / "pot.html"
    for words in (["@story"], ["@story", "--page", "1"], ["@story", "--page", "1-9999"], ["@story", "Which?"]):
        assert run("explain", *words).stdout.splitlines().count(line) == 1, words
    assert run("explain", "@story", "--html", str(page)).exit_code == 0
    assert line[1:] in page.read_text()
    told = json.loads(run("explain", "@story", "--json").stdout)
    assert told["unrecorded"] == n_passes and not any(part["evicted"] for part in told["parts"])
    # what is read into it is seen again, and numbered on
    read_on = json.loads(run("explain", "@story", str(story), "Which?", "-n", "5", "--json").stdout)
    assert read_on["unrecorded"] == n_passes
    cycles = {cycle for part in read_on["parts"] for cycle, _ in part["evicted"]}
    assert cycles and min(cycles) > n_passes
    (tmp_path / "short.txt").write_text("The pass key is 71432.")
    assert run("read", str(tmp_path / "short.txt"), "--save-pot", "short", *SMALL[:2], *model).exit_code == 0
    assert "is not recorded" not in run("explain", "@short").stdout, "nothing was evicted"


def test_everything_is_kept_and_nothing_judged_where_the_pot_is_large_enough(tmp_path: Path, model: list[str]) -> None:
    path = tmp_path / "short.txt"
    path.write_text("The pass key is 71432.")
    told = json.loads(run("explain", str(path), "Which?", *SMALL, *model, "--json").stdout)
    (part,) = told["parts"]
    assert part["kept"] == {"share": 1.0, "cap": 0.0, "nuc": 0.0, "pinned": 0.0, "reread": 0.0, "unjudged": 1.0}
    assert told["longest_gap"] is None and told["passes"] == []


def test_the_overview_and_a_page_are_readable_without_colour(story: Path, model: list[str]) -> None:
    words = ["explain", str(story), "Who?", *SMALL, *model, "-q"]
    shown = run(*words)
    assert shown.exit_code == 0 and "\x1b" not in shown.output
    for word in ("coverage", "attended", "cited", "passages the answer leaned on", "distilled", "layer  0"):
        assert word in shown.stdout
    page = run(*words, "--page", "2")
    facts, fate, text = page.stdout.split("\n", 2)
    assert facts.startswith("l. ") and fate.startswith("evicted: ")
    text = text.rsplit("\n", 2)[0]
    for mark in "‹›~":
        text = text.replace(mark, "")
    assert text.strip() in story.read_text() and "71432" in text
    wrong = run(*words, "--page", "77")
    assert wrong.exit_code == 2 and "no page or line 77" in wrong.stderr
    after = run("ask", *words[1:-1], "--explain")
    assert after.stdout == run("ask", *words[1:]).stdout and "coverage" in after.stderr


def test_a_document_cannot_put_markup_into_the_report(tmp_path: Path, model: list[str]) -> None:
    path, report = tmp_path / "evil.txt", tmp_path / "report.html"
    path.write_text(f"{EVIL}\n" * 12 + "\x1b[2J\u202etxet")
    done = run("explain", str(path), EVIL, *SMALL, *model, "--html", str(report))
    assert done.exit_code == 0 and done.stdout == ""
    page = Tags()
    page.feed(report.read_text("utf-8"))
    plain = "html head meta title style body h1 h2 p blockquote a nav section div span table tr th td"
    assert page.tags <= {*plain.split(), "details", "summary"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"src"}
    assert page.shown.count("<script>alert(1)</script>") >= 12
    raw = report.read_text("utf-8")
    assert raw.count("<style>") == 1 and "http:" not in raw and "https:" not in raw
    assert "\x1b" not in raw and "\u202e" not in raw


@pytest.mark.slow
def test_a_browser_shows_the_report_in_the_colours_its_reader_likes(
    story: Path, model: list[str], tmp_path: Path
) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    report = tmp_path / "report.html"
    assert run("explain", str(story), "Who?", *SMALL, *model, "--html", str(report)).exit_code == 0
    options = ["--headless", "--disable-gpu", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}"]
    shades = {}
    for number, scheme in enumerate(("dark", "light")):
        picture = tmp_path / f"{scheme}.png"
        subprocess.run(
            [browser, *options, f"--blink-settings=preferredColorScheme={number}", f"--screenshot={picture}",
             "--window-size=1000,2000", report.as_uri()],
            check=True, capture_output=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)},
        )  # fmt: skip
        colours = Image.open(picture).convert("RGB").getcolors(2_000_000)
        assert colours is not None
        shades[scheme] = {colour for _, colour in colours}
        _, paper = max(colours)
        assert paper == {"dark": (23, 23, 23), "light": (253, 253, 251)}[scheme]
    # the ink, and the mark of the page that is cited
    assert {(230, 228, 223), (255, 138, 128)} <= shades["dark"] and {(27, 27, 27), (179, 38, 30)} <= shades["light"]


def test_an_answer_s_report_is_written_as_a_page(story: Path, tiny_model: Path, tmp_path: Path) -> None:
    page, words = tmp_path / "report.html", [str(story), "What is the pass key?", "-n", "8", "-m", str(tiny_model)]
    for command in (["ask", *words], ["summarize", str(story), "-n", "8", "-m", str(tiny_model)]):
        page.unlink(missing_ok=True)
        done = CliRunner().invoke(app, [*command, "-s", "400", "--html", str(page)])
        assert done.exit_code == 0, done.output
        assert f"written to {page}" in done.stderr
        assert page.read_text("utf-8").startswith("<!doctype html>")
    shutil.copy(story, other := tmp_path / "other.txt")
    for more in (["-Q", "Who?", "-Q", "When?", str(story)], ["--each", str(other), *words]):
        refused = CliRunner().invoke(app, ["ask", *more, "--html", str(page)])
        assert refused.exit_code == 2 and "one answer" in refused.stderr


def test_thirds_go_by_tokens_however_few_the_parts(tmp_path: Path, model: list[str]) -> None:
    text = tmp_path / "short.txt"
    text.write_text("A line of a short text. " * 25, "utf-8")
    told = json.loads(run("explain", str(text), "Who?", *SMALL, *model, "--json").stdout)
    assert not told["passes"] or len(told["parts"]) <= 3
    whole = sum(told["thirds"]) / 3
    assert whole == pytest.approx(told["kept_share"], abs=0.01)
    assert all(told["thirds"]), "the first tokens and the latest are held in a pot of that size"


def test_a_page_is_shown_after_the_answer_too(story: Path, model: list[str]) -> None:
    asked = run("ask", str(story), "Who?", *SMALL, *model, "--page", "2", "--no-cache")
    assert asked.exit_code == 0, asked.output
    shown = run("explain", str(story), "Who?", *SMALL, *model, "--page", "2")
    assert shown.exit_code == 0
    assert "".join(shown.stdout.split()) in "".join(asked.stderr.split())  # a terminal breaks its lines
    lines = [plain_text(line) for line in asked.stderr.splitlines()]
    assert "The pass key is 71432." in lines, "and keeps those of the text"
    wrong = run("ask", str(story), "Who?", *SMALL, *model, "--page", "77777", "--no-cache")
    assert wrong.exit_code == 0 and "there is no page or line 77777" in " ".join(wrong.stderr.split())


def test_json_has_the_text_of_a_page_too(story: Path, model: list[str]) -> None:
    words = [str(story), "Who?", *SMALL, *model]
    shown = run("explain", *words, "--page", "2-3").stdout
    record = json.loads(run("explain", *words, "--page", "2-3", "--json").stdout)
    assert record["page"].split() == shown.split() and "The pass key is" in plain_text(record["page"])
    asked = json.loads(run("ask", *words, "--page", "2-3", "--json", "--no-cache").stdout)["explain"]
    assert asked["page"] == record["page"]
    assert "page" not in json.loads(run("explain", *words, "--json").stdout)
    wrong = run("ask", *words, "--page", "77777", "--json", "--no-cache")
    assert wrong.exit_code == 0 and "page" not in json.loads(wrong.stdout)["explain"]
    assert "there is no page or line 77777" in " ".join(wrong.stderr.split())
    assert run("explain", *words, "--page", "77777", "--json").exit_code == 2


@pytest.mark.parametrize(("more", "code"), [([], 0), (["--strict"], 3)])
def test_under_strict_next_to_nothing_kept_is_an_error_of_a_report_as_well(
    tmp_path: Path, model: list[str], more: list[str], code: int
) -> None:
    path = tmp_path / "long.txt"
    path.write_text("The night was dark and the sea was calm. " * 400)
    ended = run("explain", str(path), "Who?", "-s", "128", "-n", "2", *model, *more)
    assert ended.exit_code == code and ended.stdout
    said = " ".join(ended.stderr.split())
    assert "warning: read 16,400 tokens into 128 places" in said and ("--strict allows none" in said) == bool(code)


def test_explain_pins_and_looks_again(story: Path, model: list[str]) -> None:
    words = ["explain", str(story), "Who?", *SMALL, *model]
    told = json.loads(run(*words, "--pin", "pass key", "--json", "--verify").stdout)
    held = [part for part in told["parts"] if part["lines"] and part["lines"][0] <= 2 <= part["lines"][1]]
    free = json.loads(run(*words, "--json").stdout)
    assert sum(part["kept"]["pinned"] for part in held) > sum(
        part["kept"]["pinned"] for part in free["parts"] if part["lines"] and part["lines"][0] <= 2 <= part["lines"][1]
    )
    assert (
        set(told["verified"]) == {"path", "option", "answer", "is_whole", "agrees", "reason"} and "verified" not in free
    )
    spoken = run(*words, "--verify")
    assert any(word in spoken.stderr for word in ("verified", "the answers differ"))
    alone = run("explain", "@none", "--verify")
    assert (alone.exit_code, "nothing was asked" in alone.output) == (2, True)


def test_all_that_is_said_has_the_colour_that_was_asked_for(
    story: Path, model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consoles: list[Console] = []
    made = explaining.error_console

    def watched(*words: Any, **named: Any) -> Console:
        consoles.append(made(*words, **named))
        return consoles[-1]

    monkeypatch.setattr(explaining, "error_console", watched)
    words = ["explain", str(story), "Who?", *SMALL, *model, "--verify", "--html", str(tmp_path / "report.html")]
    assert run(*words, "--color", "never").exit_code == 0
    assert consoles and all(console.no_color for console in consoles)
