"""Chat templates that write the date, or how much to reason: a pot is asked behind what it was read behind."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from tests.commands.test_going_on import stop_at
from tests.conftest import save_tiny_model
from tests.pots.forging import forged

DATED = (
    "{{ bos_token }}<|user|>Today is {{ strftime_now('%d %b %Y') }}.<|end|>"
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FIRST = datetime(2026, 11, 30, 23, 59)
SMALL = ["-s", "400", "--budget", "200", "-n", "12"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    set_clock(monkeypatch, days=0)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "dated"
    save_tiny_model(folder, context_length=512, chat_template=DATED)
    return str(folder)


def set_clock(monkeypatch: pytest.MonkeyPatch, *, days: int) -> None:
    now = FIRST + timedelta(days=days)
    clock = type("Clock", (datetime,), {"now": staticmethod(lambda *_: now)})
    monkeypatch.setattr("infinipot_cli.session.datetime", clock)


def run(*words: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(app, list(words), input=stdin)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("system", [[], ["--system", "Be brief."]], ids=["plain", "system"])
def test_a_stored_pot_is_asked_the_next_day_as_on_its_own(
    system: list[str], story: Path, dated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("read", str(story), "--save-pot", "book", *SMALL[:4], "-m", dated, *system)
    ask = ["ask", "@book", "What is the pass key?", "-n", "12", "-q", *system]
    first = run(*ask).stdout
    set_clock(monkeypatch, days=1)
    assert run(*ask).stdout == first
    if not system:
        run("explain", "@book", "Who?")
    run("ask", "@book", "Who?", "--dry-run", *system)
    assert run("chat", "@book", "-n", "12", "-q", *system, stdin="Who?\nWhen?\n").stdout.count("\n") >= 2


def test_a_pot_that_was_read_on_keeps_its_day(story: Path, dated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("read", str(story), "--save-pot", "book", *SMALL[:4], "-m", dated)
    for days in (1, 2):
        set_clock(monkeypatch, days=days)
        run("read", str(story), "--pot", "book", "-q")
    run("ask", "@book", "Who?", "-n", "4")


def test_a_pot_of_an_earlier_version_was_told_the_day_when_it_was_stored(
    story: Path, dated: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    run("read", str(story), "--save-pot", "book", *SMALL[:4], "-m", dated)
    path = home / "pots" / "book.pot"
    forged(path, path, lambda content, _: (content.pop("told"), content.update(created=FIRST.timestamp())))
    set_clock(monkeypatch, days=1)
    run("ask", "@book", "Who?", "-n", "4")


def test_what_was_kept_is_found_on_its_day_and_stays(
    story: Path, dated: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """On the next day the prompt is another, and so is what is read behind it."""
    words = ["ask", str(story), "What is the pass key?", *SMALL, "-m", dated]
    were_read = []
    for days in (0, 0, 1, 0):
        set_clock(monkeypatch, days=days)
        were_read.append(json.loads(run(*words, "--json").stdout)["pot"]["was_read"])
    assert were_read == [False, True, False, True]
    assert len(list((home / "cache" / "pots").glob("*"))) == 2
    set_clock(monkeypatch, days=3)
    run("ask", "@last", "Who?", "-n", "4")


def test_a_pot_whose_prompt_says_how_much_to_reason_is_asked_for_as_much(story: Path, tmp_path: Path) -> None:
    template = DATED.replace("Today is {{ strftime_now('%d %b %Y') }}.", "{{ reasoning_effort | default('medium') }}")
    save_tiny_model(tmp_path / "effort", context_length=512, chat_template=template)
    for think, hint in (([], "leave --think out"), (["--think"], "give --think")):
        model = ["-m", str(tmp_path / "effort")]
        run("read", str(story), "--save-pot", "book", *SMALL[:4], *model, *think)
        ask = ["ask", "@book", "Who?", "-n", "4"]
        run(*ask, *think)
        refused = CliRunner().invoke(app, [*ask, *([] if think else ["--think"])])
        assert refused.exit_code == 6 and hint in refused.stderr and "system" not in refused.stderr


def test_what_was_stopped_is_read_to_its_end_the_next_day(
    story: Path, dated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.write_text("".join(f"Line {number} of many.\n" for number in range(60)))
    stop_at(monkeypatch, 8)
    stopped = CliRunner().invoke(app, ["ask", str(story), "Who?", *SMALL, "--chunk", "40", "-m", dated])
    assert stopped.exit_code == 130, stopped.output
    set_clock(monkeypatch, days=1)
    run("ask", "--resume", "-n", "4")
