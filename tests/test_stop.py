"""A signal while tokens are read: the first ends them, the second the program."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.endings import Terminated
from infinipot_cli.progress import Progress
from infinipot_cli.reading import Reading
from infinipot_cli.resume import save
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from infinipot_cli.stop import Stop
from tests.documents.small_pdf import pdf


def press(number: int = signal.SIGINT) -> None:
    signal.raise_signal(number)


def test_the_first_press_ends_the_tokens_and_the_second_the_program() -> None:
    stop, before = Stop(), signal.getsignal(signal.SIGINT)
    with stop.on_signal():
        tokens = stop.guard(range(100))
        assert [next(tokens), next(tokens)] == [0, 1]
        press()
        assert list(tokens) == []
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_others_end_the_tokens_too_and_then_the_program(number: int) -> None:
    def end(came: int, _: object) -> None:
        raise Terminated(came)

    kept, stop = signal.signal(number, end), Stop()
    try:
        with stop.on_signal():
            tokens = stop.guard(range(100))
            assert next(tokens) == 0
            press(number)
            assert list(tokens) == []
            with pytest.raises(Terminated):
                press(number)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, kept)
    ended = stop.end("so")
    assert isinstance(ended, Terminated) and (ended.exit_code, ended.hint) == (128 + number, "so")


def test_a_signal_that_is_ignored_stays_so() -> None:
    kept, stop = signal.signal(signal.SIGHUP, signal.SIG_IGN), Stop()
    try:
        with stop.on_signal():
            tokens = stop.guard(range(3))
            press(signal.SIGHUP)
            assert list(tokens) == [0, 1, 2] and not stop.is_wanted
    finally:
        signal.signal(signal.SIGHUP, kept)


def test_before_the_first_token_a_press_ends_the_program() -> None:
    stop = Stop()
    with stop.on_signal(), pytest.raises(KeyboardInterrupt):
        press()
    assert not stop.is_wanted


def test_a_wait_for_the_next_token_is_ended() -> None:
    def slow() -> Iterator[int]:
        yield 7
        threading.Timer(0.2, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)).start()
        time.sleep(30)
        yield 8

    stop, start = Stop(), time.monotonic()
    with stop.on_signal():
        assert list(stop.guard(slow())) == [7]
    assert time.monotonic() - start < 10


def test_what_is_read_after_a_stop_is_read_to_its_end(tiny_model: Path, tmp_path: Path) -> None:
    book, other = tmp_path / "book.pdf", tmp_path / "other.txt"
    book.write_bytes(pdf(*[f"Page {number}. " + "Words and words. " * 6 for number in range(1, 9)]))
    other.write_text("The sea was calm. " * 9, "utf-8")
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=8, chunk=40))
    with session.prepare([str(book)], ask("Who?")) as reading:
        for number, _ in enumerate(reading.read(), start=1):
            reading.stop.is_wanted = number >= 4
        silent = reading.silent_pages()
        assert silent["8"].endswith("was not read")
        more = session.open([str(other)])
        assert len(list(reading.read_more(more))) > 2
        assert more[0].n_tokens > other.stat().st_size
        assert reading.silent_pages() == silent


def test_elsewhere_than_in_the_main_thread_nothing_changes() -> None:
    read: list[int] = []

    def work() -> None:
        stop = Stop()
        with stop.on_signal():
            read.extend(stop.guard(range(3)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert read == [0, 1, 2]


@pytest.mark.parametrize("n_steps", [1, 3, 9])
def test_a_stopped_reading_answers_as_one_of_a_shorter_document(tiny_model: Path, story: Path, n_steps: int) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=8, chunk=40))
    with session.prepare([str(story)], ask("Who?")) as reading:
        for number, _ in enumerate(reading.read(), start=1):
            reading.stop.is_wanted = number >= n_steps
        n_read, answer = reading.n_tokens, "".join(reading.answer())
    assert 0 < n_read == reading.inputs[0].n_tokens < story.stat().st_size
    text = story.read_text()[:n_read]  # one token a byte
    story.write_text(text)
    with session.prepare([str(story)], ask("Who?")) as reading:
        for _ in reading.read():
            pass
        assert "".join(reading.answer()) == answer


@pytest.mark.parametrize("n_steps", [2, 7])
def test_what_was_read_is_kept_and_the_rest_can_follow(
    tiny_model: Path, story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_steps: int
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    story.write_text("".join(f"Line {number} of the story.\n" for number in range(1, 120)))
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=8, chunk=40))
    with session.prepare([str(story)], ask("Who?")) as reading:
        for number, _ in enumerate(reading.read(), start=1):
            reading.stop.is_wanted = number >= n_steps
        save(session, reading, "stopped")
        n_read = reading.n_tokens
    n_lines = story.read_text()[:n_read].count("\n")
    assert reading.rest == (str(story), f"--lines {n_lines + 1}-")
    assert reading.trail.n_seen == reading.pot.n_seen
    words = ["ask", "@stopped", str(story), *reading.rest[1].split(), "Who?", "-n", "8", "--json"]
    words += ["-m", str(tiny_model)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    earlier, rest = json.loads(done.stdout)["input"]
    assert earlier["tokens"] == n_read
    left = "".join(story.read_text().splitlines(keepends=True)[n_lines:])
    assert rest["tokens"] == len(f"\n\nDocument: {story}\n\n{left}")


def test_a_press_keeps_the_pot_and_says_so(
    tiny_model: Path, story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    read = Reading.read

    def pressed(self: Reading) -> Iterator[Progress]:
        for number, progress in enumerate(read(self), start=1):
            if number == 3:
                press()
            yield progress

    monkeypatch.setattr(Reading, "read", pressed)
    words = ["ask", str(story), "Who?", "-s", "400", "-n", "8", "--chunk", "40", "-m", str(tiny_model)]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (130, "")
    assert 'saved @stopped → infinipot ask @stopped "…"' in done.stderr
    assert "the rest: infinipot ask --resume" in done.stderr
    monkeypatch.undo()
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    again = CliRunner().invoke(app, ["ask", "@last", "Who?", "-n", "8", "-m", str(tiny_model)])
    assert again.exit_code == 0, again.stderr
