import contextlib
import dataclasses
import io
import re
import sys
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from rich.console import Console

from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.progress import Progress

MakeConsole = Callable[..., tuple[Console, io.StringIO]]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def at(done: float | None, n_tokens: int = 1000, source: str = "book.txt") -> Progress:
    return Progress(source, page=7, n_tokens=n_tokens, n_held=500, capacity=1024, n_cycles=3, done=done)


def ticks(make: MakeConsole, states: list[tuple[float, float | None]]) -> list[str]:
    console, out = make()
    clock = Clock()
    with ReadingBar(console, clock=clock) as bar:
        for seconds, done in states:
            clock.now = 100.0 + seconds
            bar.update(at(done, n_tokens=round(1000 * seconds)))
    return out.getvalue().splitlines()


def test_a_pipe_gets_a_tick_for_a_tenth_at_most(recording_console: MakeConsole) -> None:
    lines = ticks(recording_console, [(second, second / 100) for second in range(101)])
    assert len(lines) == 9
    assert lines[0] == "read 10 %, 10,000 tokens, book.txt, 1000 tok/s"
    assert "\x1b" not in "".join(lines)


def test_a_document_of_unknown_length_ticks_every_half_minute(recording_console: MakeConsole) -> None:
    lines = ticks(recording_console, [(second, None) for second in range(100)])
    assert [line.split(", ")[0] for line in lines] == ["read 30,000 tokens", "read 60,000 tokens", "read 90,000 tokens"]


def test_a_quick_reading_ticks_not_at_all(recording_console: MakeConsole) -> None:
    assert ticks(recording_console, [(tenth / 10, tenth / 10) for tenth in range(11)]) == []


def test_whoever_wants_quiet_gets_no_tick(recording_console: MakeConsole) -> None:
    def quiet(**options: bool) -> tuple[Console, io.StringIO]:
        console, out = recording_console(**options)
        console.quiet = True
        return console, out

    assert ticks(quiet, [(second, second / 100) for second in range(101)]) == []


def test_a_slow_reading_does_not_tick_more_often_than_it_gets_on(recording_console: MakeConsole) -> None:
    assert len(ticks(recording_console, [(second, 0.05) for second in range(95)])) == 3


def drawn(make: MakeConsole, progress: Progress | None, width: int) -> str:
    console, out = make(width=width, terminal=False)
    bar = ReadingBar(console, waiting="loading pocket")
    if progress:
        bar.update(progress)
    console.print(bar.picture())
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_at_usual_widths_nothing_is_cut(recording_console: MakeConsole, width: int) -> None:
    console, out = recording_console(width=width)
    clock = Clock()
    bar = ReadingBar(console, clock=clock)
    progress = dataclasses.replace(at(0.61, n_tokens=182_400), page=371, n_pages=612, n_held=3407, capacity=4096)
    bar.update(at(0.0, n_tokens=0))
    clock.now += 139
    bar.update(dataclasses.replace(progress, n_cycles=28))
    console.print(bar.picture())
    picture = out.getvalue().splitlines()[-2:]
    assert re.sub(" +", " ", picture[0]).endswith("61 % p. 371/612 182,400 tok 1312 tok/s 1:29 left")
    assert re.sub(" +", " ", picture[1]).endswith("83 % 3407 / 4096 places distilled 28 × dropped 178k")


@pytest.mark.parametrize("width", [30, 40, 59, 60, 63, 66, 80, 120])
def test_the_picture_fits_the_terminal_and_leaves_room_for_what_ctrl_c_echoes(
    recording_console: MakeConsole, width: int
) -> None:
    picture = drawn(recording_console, at(0.61), width)
    assert max(map(len, picture.splitlines())) <= width - len("^C") - 1
    assert "61 %" in picture
    assert ("500 / 1024 places" in picture) == (width >= 60)
    assert len(picture.splitlines()) == (1 if width < 60 else 2)


@pytest.mark.parametrize("width", [30, 40, 59])
def test_a_narrow_terminal_has_share_place_and_time_left(recording_console: MakeConsole, width: int) -> None:
    console, out = recording_console(width=width)
    clock = Clock()
    bar = ReadingBar(console, clock=clock)
    bar.update(at(0.0, n_tokens=0))
    clock.now += 139
    for page, shown in ((None, "182k tok"), (371, "p. 371")):
        bar.update(dataclasses.replace(at(0.61, n_tokens=182_400), page=page))
        console.print(bar.picture())
        assert re.sub(" +", " ", out.getvalue().splitlines()[-1]).strip().endswith(f"61 % {shown} 1:29 left")


@pytest.mark.parametrize("label", [None, "a-long-label-of-an-appendix-on-a-page", "漢字" * 20])
@pytest.mark.parametrize("n_tokens", [1000, 112_000, 12_345_678])
@pytest.mark.parametrize("width", [60, 61, 63, 66, 72, 80, 94, 95, 120])
def test_bar_share_and_time_left_stay_whatever_stands_beside_them(
    recording_console: MakeConsole, width: int, n_tokens: int, label: str | None
) -> None:
    console, out = recording_console(width=width)
    clock = Clock()
    bar = ReadingBar(console, clock=clock)
    bar.update(at(0.0, n_tokens=0))
    clock.now += 120
    told = {"page": 371, "label": label, "n_pages": 612, "n_held": 412_345, "capacity": 524_288, "n_cycles": 1234}
    bar.update(dataclasses.replace(at(0.61, n_tokens=n_tokens), **told))
    console.print(bar.picture())
    reading, pot = (line.rstrip() for line in out.getvalue().splitlines()[-2:])
    assert max(cell_len(reading), cell_len(pot)) < width - len("^C")
    share, filled = re.search(r" 61 %  ?p\. .*1:17 left$", reading), re.search(r" 79 % 412,345 / 524,288 places", pot)
    assert share is not None and filled is not None, out.getvalue()
    assert share.start() == filled.start() >= len("reading ") + 4, "bars of one length"
    if n_tokens == 112_000 and label is None:
        assert ("p. 371/612" in reading, "112,000 tok" in reading, "933 tok/s" in reading) == (True, True, width >= 72)


def test_before_the_first_token_the_picture_says_what_is_awaited_and_turns(recording_console: MakeConsole) -> None:
    console, out = recording_console()
    console.get_time = iter([0.0, 0.1, 0.2]).__next__
    bar = ReadingBar(console, waiting="loading pocket")
    for _ in range(3):
        console.print(bar.picture())
    wheels, words = zip(*(line.split(maxsplit=1) for line in out.getvalue().splitlines()), strict=True)
    assert len(set(wheels)) == 3 and set(words) == {"loading pocket"}


def test_the_bar_leaves_standard_output_alone_and_is_gone_afterwards(
    recording_console: MakeConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    console, out = recording_console(terminal=True)
    before = sys.stdout
    with ReadingBar(console) as bar:
        bar.update(at(0.5))
        assert sys.stdout is before
        sys.stdout.write("answer\n")
    assert capsys.readouterr().out == "answer\n"
    assert out.getvalue().endswith("\x1b[2K"), "the last thing sent erases the bar"
    assert "\x1b[?25h" in out.getvalue(), "the cursor is shown again"


def test_an_interrupted_reading_says_how_far_it_got(recording_console: MakeConsole) -> None:
    console, out = recording_console()
    with contextlib.suppress(KeyboardInterrupt), ReadingBar(console) as bar:
        bar.update(at(0.61, n_tokens=112000))
        raise KeyboardInterrupt
    assert out.getvalue() == "stopped at 61 %, 112,000 tokens\n"


def test_names_are_never_markup_and_never_act(recording_console: MakeConsole) -> None:
    console, out = recording_console()
    clock = Clock()
    with ReadingBar(console, clock=clock) as bar:
        bar.update(at(0.0))
        clock.now += 5
        bar.update(at(0.5, source="[red]a[/foo]\x1b[2J\nb"))
    assert out.getvalue().startswith("read 50 %, 1000 tokens, [red]a[/foo][2J b")


@pytest.mark.parametrize("width", [59, 60, 79, 80, 120])
def test_what_was_kept_is_drawn_where_there_is_room(recording_console: MakeConsole, width: int) -> None:
    progress = dataclasses.replace(at(0.5), kept=(0.0, 0.001, 0.2, 0.4) * 5, n_ahead=20, kept_by="page", n_pages=40)
    picture = drawn(recording_console, progress, width)
    assert max(map(len, picture.splitlines())) < width - len("^C")
    assert ("kept     ▁▄█ ▁▄█ ▁▄█ ▁▄█ ▁▄█" + "·" * 20 in picture) == (width >= 60)
    assert ("by page, up to 40 %" in picture) == (width >= 80)
    assert "p. 7/40" in picture


@pytest.mark.parametrize(("among", "shown"), [(None, "2/3 documents  a[/b]"), ((12, 48), "12/48 documents  a[/b]")])
def test_of_several_documents_the_one_that_is_read_is_named(
    recording_console: MakeConsole, among: tuple[int, int] | None, shown: str
) -> None:
    for width in (50, 60, 80):
        console, out = recording_console(width=width)
        bar = ReadingBar(console, among=among)
        bar.update(dataclasses.replace(at(0.5, source="a[/b]\x1b[2J" + "x" * 90), number=2, n_documents=3))
        console.print(bar.picture())
        first, *others = out.getvalue().splitlines()
        assert max(map(len, [first, *others])) < width - len("^C") and "\x1b" not in first
        assert first.startswith(shown) == (width >= 60) and "reading" in (others[0] if width >= 60 else first)
    assert "documents" not in drawn(recording_console, at(0.5), 80), "one document has been named above"
