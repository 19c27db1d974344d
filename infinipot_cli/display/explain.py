"""The report on an answer in a terminal: readable without colour, 80 columns, one thing a line."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from textwrap import wrap

from infinipot_cli.display.progress import sparkline
from infinipot_cli.display.safe import safe, safe_line
from infinipot_cli.display.sources import where
from infinipot_cli.display.summary import counted, grouped, percent
from infinipot_cli.documents.ranges import resolve_pages
from infinipot_cli.errors import UsageError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.record import FORGOTTEN, RULES, Part, Pass, Report, Span

STRONG, WEAK = 0.75, 0.25
# Cells of a strip, and columns of its line beside them.
_STRIP, _FEWEST, _BESIDE = 60, 8, 12
_TOP = 5
# Less than this reads as 0.00.
_LEAST_SCORE = 0.005
_MOST_LAYERS = 16
_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")


def overview(report: Report, columns: int = 80) -> Iterator[str]:
    """The whole document at a glance: coverage, strip, longest gap, what the answer leaned on, passes, heads.

    Args:
        report: what to show.
        columns: of the terminal; no strip is wider, while other lines are to be folded.
    """
    cells = max(_FEWEST, min(_STRIP, columns - _BESIDE))
    first, middle, last = (percent(share) for share in report.thirds)
    kept = f"{percent(report.kept_share)} of {grouped(report.n_tokens)} tokens"
    yield f"kept      {kept}, and {report.protected} protected"
    yield f"coverage  first third {first} · middle {middle} · last third {last}"
    if gap := longest_gap(report):
        yield safe_line(f"longest gap: {gap} (nothing kept)")
    if told := untold(report):
        yield told
    yield f"kept      {_strip([part.share for part in report.parts], cells)}"
    if report.is_answered:
        yield f"attended  {_strip([part.attended for part in report.parts], cells)}"
        yield f"cited     {_marks([part.cited for part in report.parts], cells)}"
    yield from _layers(report, cells)
    if report.agreement:
        yield f"agrees    {agreement(report)}"
    yield from _leaned_on(report) if report.is_answered else _kept_most(report)
    yield from _passes(report)
    if report.is_answered:
        yield from _heads(report)
    yield ""
    yield from wrap(report.legend, 78)


def _layers(report: Report, cells: int) -> Iterator[str]:
    """What each layer holds along the document, mean over its heads; the same layer looks for the same things."""
    shares = [part.layers for part in report.parts]
    for layer in range(min(report.n_layers, _MOST_LAYERS)):
        yield f"layer {layer:2}  {_strip([part[layer] for part in shares], cells)}"
    if report.n_layers > _MOST_LAYERS:
        yield f"{report.n_layers - _MOST_LAYERS} more layers, and heads, with --json or --html"


def agreement(report: Report) -> str:
    """How well the pot did beside full attention; empty where that was not checked."""
    if not report.agreement:
        return ""
    mean = sum(report.agreement) / len(report.agreement)
    by_layer = " ".join(f"{share:.2f}" for share in report.agreement[:_MOST_LAYERS])
    return f"{mean:.2f} with what full attention ranks highest; by layer {by_layer}"


def _leaned_on(report: Report) -> Iterator[str]:
    yield ""
    yield "attended most"
    for part in sorted(report.parts, key=lambda part: -part.attended)[:_TOP]:
        if part.attended:
            yield from _with_fate(report, part)
    yield ""
    yield "passages the answer leaned on"
    for passage in report.passages[:_TOP]:
        if passage.score < _LEAST_SCORE and not report.is_cited(passage):
            continue
        mark = "cited " if report.is_cited(passage) else "      "
        yield f"  {passage.score:5.2f} {mark}{safe_line(place_of(report, passage))}  “{safe_line(passage.quote)}”"


def _kept_most(report: Report) -> Iterator[str]:
    yield ""
    yield "kept most"
    for part in sorted(report.parts, key=lambda part: -part.share)[:_TOP]:
        if part.share:
            yield from _with_fate(report, part)


def _with_fate(report: Report, part: Part) -> Iterator[str]:
    yield f"  {facts(report, part)}"
    if part.fate:
        yield f"      {part.fate}"


def place_of(report: Report, what: Part | Passage) -> str:
    """Where a part or a passage stands, behind the name of its document where there are several."""
    place = what.title if isinstance(what, Part) else where(what)
    return f"{what.path} {place}" if report.is_of_several else place


def longest_gap(report: Report) -> str:
    """From where to where nothing was kept; empty where something was kept everywhere."""
    ends = report.longest_gap or ()
    return " to ".join(dict.fromkeys(place_of(report, end) for end in ends))


def facts(report: Report, part: Part, also: str = "") -> str:
    """What is known of a part, on one line that begins with its place, and with what else says where that is."""
    return safe_line(f"{place_of(report, part)}{also}   {part.told(is_answered=report.is_answered)}")


def text_of(report: Report, wanted: str) -> Iterator[str]:
    """The pages, or the lines, that a user asks for: what is known of them, then their text with what was kept of it.

    What is known of a text is known of stretches of its lines; of the text itself only the lines asked for are shown.

    Raises:
        UsageError: there are none such.
    """
    parts = parts_named(report, wanted)
    for number, (_, group) in enumerate(groupby(parts, key=lambda part: (part.path, part.page))):
        if number:
            yield ""
        stretches = list(group)
        for part in stretches:
            printed = part.page is not None and part.kind != "epub" and part.label not in (None, str(part.page))
            yield facts(report, part, f" (page {part.page} of the file)" if printed else "")
            if part.fate:
                yield part.fate
        if not number and (told := unrecorded(report)):
            yield told
        spans = [span for part in stretches for span in _wanted(part, wanted)]
        gone = [span.is_forgotten for span in spans if span.text]
        if gone and all(gone):
            yield "its text is not remembered any more"
            continue
        text = _marked(spans)
        # the blank lines in front of the next page
        yield text.rstrip("\n") if stretches[0].lines is None else text.removesuffix("\n")
        yield _KEY + (_KEY_FORGOTTEN if any(gone) else "")


def _wanted(part: Part, wanted: str) -> Iterator[Span]:
    """What of a part is to be shown: a whole page, or of a stretch of lines those asked for."""
    if part.lines is None:
        yield from part.spans
    for first, last in _lines(wanted) if part.lines is not None else ():
        yield from lines_between(part, first, last)


def lines_between(part: Part, first: int, last: int) -> Iterator[Span]:
    """What of a stretch of lines stands on the lines from one to another."""
    assert part.lines is not None
    line = part.lines[0]
    for span in part.spans:
        if span.lines_forgotten is not None:
            if line <= last and line + span.lines_forgotten >= first:
                yield span
            line += span.lines_forgotten
            continue
        rows = re.split(r"(?<=\n)", span.text)
        yield replace(span, text="".join(row for number, row in enumerate(rows, line) if first <= number <= last))
        line += span.text.count("\n")


def _marked(spans: Iterable[Span]) -> str:
    """Text in whole words: what most slots kept stands in ‹ ›, what some kept in ~ ~, the rest was dropped."""
    text = state = blank = ""
    for word, share in _words(spans):
        if share is None:
            blank = word
            continue
        now = "strong" if share >= STRONG else "weak" if share >= WEAK else ""
        text += blank + word if now == state else _CLOSE[state] + blank + _OPEN[now] + word
        state, blank = now, ""
    return safe(text + _CLOSE[state] + blank)


def _words(spans: Iterable[Span]) -> Iterator[tuple[str, float | None]]:
    """Words with the mean share of their characters, and the blanks between them, which have none."""
    shares = [(char, span.share) for span in spans for char in span.text]
    for match in _WORD.finditer("".join(char for char, _ in shares)):
        word = match[0]
        of_chars = [share for _, share in shares[match.start() : match.end()]]
        yield word, None if word.isspace() else sum(of_chars) / len(word)


# Scripts that are written without blanks are taken letter by letter.
_ALONE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_WORD = re.compile(rf"\s+|[{_ALONE}]|[^\s{_ALONE}]+")
_OPEN = {"strong": "‹", "weak": "~", "": ""}
_CLOSE = {"strong": "›", "weak": "~", "": ""}
_KEY = f"‹ › kept in {STRONG:.0%} of slots or more · ~ ~ in {WEAK:.0%} or more · plain: fewer or none".replace(
    "%", " %"
)
_KEY_FORGOTTEN = f" · {FORGOTTEN.strip()} text that is not remembered any more"


def parts_named(report: Report, wanted: str) -> list[Part]:
    """The pages, or stretches of lines, that a user asks for: `203`, `xii`, `10-12`, `ii-iv,7`.

    Raises:
        UsageError: there are none such.
    """
    places = _printed(report, wanted)  # a comma may stand in a label
    for word in wanted.split(",") if not places else ():
        if not (found := _named(report, word.strip())):
            raise _nowhere(report, word.strip() or wanted)
        places |= found
    return [part for number, part in enumerate(report.parts) if number in places]


def _named(report: Report, word: str) -> set[int]:
    """Places of the parts that a word means: by label, number, a range of numbers, or as `--pages` takes it."""
    first, last = _range(word)
    return (
        _printed(report, word)
        or {number for number, part in enumerate(report.parts) if _meets(part, first, last)}
        or _resolved(report, word)
    )


def _printed(report: Report, word: str) -> set[int]:
    """Places of the pages with a number or a label; case counts only where that finds one."""
    pages, folded = _pages(report), word.casefold()
    return {number for number, part in pages if word in (part.label, str(part.page))} or {
        number for number, part in pages if part.label is not None and folded == part.label.casefold()
    }


def _pages(report: Report) -> list[tuple[int, Part]]:
    return [(number, part) for number, part in enumerate(report.parts) if part.page is not None]


def _resolved(report: Report, word: str) -> set[int]:
    """Places of those that `--pages` would take, as far as the report knows the pages of each document."""
    found, pages = set[int](), _pages(report)
    for path in {part.path for _, part in pages}:
        here = [(number, part) for number, part in pages if part.path == path]
        labels = {part.page: part.label or "" for _, part in here}
        printed = [labels.get(page, "") for page in range(1, max(part.page or 0 for _, part in here) + 1)]
        with suppress(UsageError):
            wanted, _ = resolve_pages(word, len(printed), printed, name=path)
            found |= {number for number, part in here if part.page in wanted}
    return found


def _nowhere(report: Report, word: str) -> UsageError:
    """That there is no such page or line."""
    ends = " to ".join(place_of(report, part) for part in (report.parts[0], report.parts[-1]))
    silent = {page.casefold(): why for page, why in report.silent_pages.items()} | {**report.silent_pages}
    if why := silent.get(word) or silent.get(word.casefold()):
        return UsageError(why, hint=f"there is text from {ends}")
    return UsageError(f"there is no page or line {word}", hint=f"{ends} were read")


def _range(wanted: str) -> tuple[int, int]:
    """The numbers from one to another that a user asks for; none where these are no numbers."""
    match = _RANGE.fullmatch(wanted)
    return (int(match[1]), int(match[2] or match[1])) if match is not None else (1, 0)


def _lines(wanted: str) -> list[tuple[int, int]]:
    """The lines that a user asks for, each once."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(_range(word) for word in wanted.split(",")):
        if found and first <= found[-1][1]:
            first = found[-1][1] + 1
        if first <= last:
            found.append((first, last))
    return found


def _meets(part: Part, first: int, last: int) -> bool:
    if part.lines is not None:
        return part.lines[0] <= last and part.lines[1] >= first
    label = _RANGE.fullmatch(part.label or "")
    number = int(label[1]) if label is not None and label[2] is None else part.page or 0
    return first <= number <= last


def _squeezed(values: list[float], cells: int) -> list[float]:
    width = -(-len(values) // cells) or 1
    return [max(values[start : start + width]) for start in range(0, len(values), width)]


def _strip(values: list[float], cells: int) -> str:
    return f"|{sparkline(_squeezed(values, cells))}|"


def _marks(values: list[bool], cells: int) -> str:
    return "|" + "".join("^" if value else " " for value in _squeezed([float(value) for value in values], cells)) + "|"


def untold(report: Report) -> str:
    """That tokens are in no page or line of the report; empty where all are."""
    if not report.n_untold:
        return ""
    told = f"{grouped(report.n_tokens - report.n_untold)} of {grouped(report.n_tokens)} tokens"
    return f"what was kept by page or line is known of {told}: an earlier version stored the pot without the rest"


def unrecorded(report: Report) -> str:
    """That a stored pot does not say what was evicted when; empty where that is known."""
    if not report.n_unrecorded:
        return ""
    passes = counted(report.n_unrecorded, "distillation")
    return f"the pot was stored after {passes}; what each evicted is not recorded"


def _passes(report: Report) -> Iterator[str]:
    if report.passes or report.n_unrecorded:
        yield ""
    if told := unrecorded(report):
        yield told
    if passes := report.reading_passes:
        dropped, last = sum(done.n_before - done.n_held for done in passes), passes[-1]
        yield (
            f"distilled {counted(len(passes), 'time')}: {dropped} entries dropped from each slot;"
            f" last at token {last.n_seen}, {last.n_before} to {last.n_held}"
        )
    for done in report.passes[len(passes) :]:
        yield _room_made(report, done)


def _room_made(report: Report, done: Pass) -> str:
    """What the last distillation made room for."""
    if any(part.kept[RULES.index("reread")] for part in report.parts):
        return (
            f"passages with the question's words were read again in full: beside them {done.n_held} of"
            f" {done.n_before} entries stayed in each slot"
        )
    n_dropped = done.n_before - done.n_held
    return f"{n_dropped} of {done.n_before} entries were dropped from each slot, to make room for the question"


def _heads(report: Report) -> Iterator[str]:
    yield ""
    yield "attention to the documents by layer and query head, and how much was copied"
    for number, (attended, copied) in enumerate(zip(report.heads, report.copying, strict=True)):
        told = "  ".join(
            f"{all_of_it:.2f}/{part:.2f}" for all_of_it, part in zip(attended[:8], copied[:8], strict=True)
        )
        yield f"  layer {number:2}  {told}{'  …' if len(attended) > 8 else ''}"
