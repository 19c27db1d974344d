"""The text of pages and lines in a terminal: exactly what was asked for, called as people call it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.display.explain import lines_between, overview, parts_named, text_of
from infinipot_cli.display.explain_html import html_report
from infinipot_cli.display.fold import folded
from infinipot_cli.documents.ranges import resolve_pages
from infinipot_cli.errors import UsageError
from infinipot_cli.explain.record import FORGOTTEN, Part, Pass, Report, Span

NOTHING = (0.0, 0.0, 0.0, 0.0, 0.0)


def part(spans: Sequence[Span], **named: object) -> Part:
    plain = Part("a", None, None, None, 9, NOTHING, 0.0, cited=False, spans=tuple(spans), slots=((0.5,),))
    return replace(plain, **named)  # type: ignore[arg-type]


def report(*parts: Part) -> Report:
    return Report(
        question="", answer="", n_tokens=9, kept_share=0.5, protected=0, parts=parts, passages=(), cited=(), passes=(),
        heads=(), copying=(),
    )  # fmt: skip


def plain(*texts: str) -> list[Span]:
    return [Span(text, NOTHING, 0.0) for text in texts]


def test_lines_are_shown_as_they_stand_though_stretches_end_within_them() -> None:
    first = part([*plain("one\ntwo\nth"), Span("re", (0.8, 0.0, 0.0, 0.0, 0.0), 0.0), *plain("e\nfo")], lines=(1, 4))
    rest = part(plain("ur\nfi", "ve\n"), lines=(4, 6))
    shown = list(text_of(report(first, rest), "3-4"))
    assert [line.split("   ")[0] for line in shown[:2]] == ["l. 1–4", "l. 4–6"]
    assert shown[2:-1] == ["~three~\nfour"]
    assert list(text_of(report(first, rest), "5"))[1:-1] == ["five"]
    for wrong in ("7", "None", "x-y", "2-"):
        with pytest.raises(UsageError, match="no page or line"):
            list(text_of(report(first, rest), wrong))


def test_whole_words_are_marked_by_what_was_kept_of_their_letters() -> None:
    def shown(*runs: tuple[str, float]) -> str:
        spans = [Span(text, (share, 0.0, 0.0, 0.0, 0.0), 0.0) for text, share in runs]
        return list(text_of(report(part(spans, page=1)), "1"))[1]

    assert (
        shown(("b", 0.9), ("old (", 0.0), ("str", 0.4), ("anger) ", 0.4), ("at sea", 0.9))
        == "bold ~(stranger)~ ‹at sea›"
    )
    assert shown(("one two\n", 0.8), ("three", 0.8), (" four ", 0.1)) == "‹one two\nthree› four "
    assert shown(("海", 0.9), ("の家", 0.0)) == "‹海›の家"


@given(st.lists(st.text("ab\n\r\x0b\u2028", min_size=1), min_size=1), st.integers(0, 9), st.integers(0, 9))
def test_lines_are_what_stands_between_line_feeds(texts: list[str], first: int, last: int) -> None:
    found = "".join(span.text for span in lines_between(part(plain(*texts), lines=(1, 99)), first, last))
    *ended, last_line = "".join(texts).split("\n")
    lines = [*(f"{line}\n" for line in ended), last_line]
    assert found == "".join(line for number, line in enumerate(lines, 1) if first <= number <= last)


def test_pages_and_chapters_are_called_as_sources_call_them() -> None:
    printed = part(plain("text"), page=9, label="5", kind="pdf")
    also = part(plain("more"), page=13, label="9", kind="pdf")
    shown = list(text_of(report(printed, also), "9"))
    assert [line.split("   ")[0] for line in shown if line.startswith("p. ")] == [
        "p. 5 (page 9 of the file)",
        "p. 9 (page 13 of the file)",
    ]
    chapter = part(plain("text"), page=4, label="The Island", kind="epub")
    assert next(text_of(report(chapter), "4")).startswith("ch. 4 “The Island”   kept")
    assert next(text_of(report(replace(chapter, label=None)), "4")).startswith("ch. 4   kept")


def test_attention_is_told_of_an_answer_alone() -> None:
    alone = report(part(plain("text"), page=1))
    asked = replace(alone, heads=((0.5,),), copying=((0.1,),))
    for told in (" ".join(overview(alone)), *text_of(alone, "1"), html_report(alone)):
        assert "attended" not in told
    assert "attended 0 %" in next(text_of(asked, "1")) and "attended 0 %" in html_report(asked)


def test_nothing_stands_between_a_page_and_the_key_to_its_marks() -> None:
    pages = [part([*plain("\nA line.\n\n"), Span(f"end{tail}", (0.9, 0.0, 0.0, 0.0, 0.0), 0.0)], page=number)
             for number, tail in ((1, "\n\n"), (2, ""))]  # fmt: skip
    for number in "12":
        _, text, key = text_of(report(*pages), number)
        assert text == "\nA line.\n\n‹end›" and key.startswith("‹ ›")


@pytest.mark.parametrize("heads", [(), ((0.5,),)])
def test_the_overview_says_in_which_distillation_each_page_that_it_names_lost_most(
    heads: tuple[tuple[float, ...], ...],
) -> None:
    losses = ((3, 0.4), (4, 0.3), (9, 0.1), (11, 0.06), (12, 0.05), (13, 0.03), (14, 0.001))
    lost = part(plain("text"), page=4, kept=(0.05, 0.0, 0.0, 0.0, 0.0), attended=0.5, evicted=losses)
    whole = part(plain("more"), page=5, kept=(1.0, 0.0, 0.0, 0.0, 0.0), attended=0.5)
    lines = [*overview(replace(report(lost, whole), heads=heads, copying=heads))]
    (place,) = (number for number, line in enumerate(lines) if line.startswith("  p. 4 "))
    fate = "evicted: 40 % in distillation 3, 30 % in 4, 10 % in 9, 6 % in 11, 8 % in others"
    assert lines[place + 1].strip() == fate
    assert [line for line in lines if "evicted" in line] == [lines[place + 1]]


def test_a_distillation_within_the_last_tokens_is_one_of_the_reading() -> None:
    """Passes count what stands in front of the documents, too; the last token is never followed by one of these."""
    reading, last = Pass(1, 11, 400, 200), Pass(2, 12, 316, 2)
    assert replace(report(), protected=3, passes=(reading, last)).reading_passes == [reading]


def test_what_the_question_made_room_for_is_said_in_words() -> None:
    reading, last = Pass(1, 5, 400, 200), Pass(2, 12, 316, 2)
    asked = replace(report(part(plain("text"), page=1)), heads=((0.5,),), copying=((0.1,),), passes=(reading, last))
    again = replace(asked, parts=(part(plain("text"), page=1, kept=(0.1, 0.0, 0.0, 0.2, 0.0)),))
    assert "314 of 316 entries were dropped from each slot, to make room for the question" in [*overview(asked)]
    (line,) = (line for line in overview(again) if line.startswith("passages with"))
    assert line.endswith("beside them 2 of 316 entries stayed in each slot")
    assert not any(line.startswith(("passages with", "314")) for line in overview(replace(again, passes=(reading,))))


@pytest.mark.parametrize("columns", [20, 40, 60, 71, 80, 200])
def test_strips_are_never_folded_and_their_marks_stand_below_what_they_mark(columns: int) -> None:
    pages = [
        part(
            plain("text"), page=page, kept=(page / 90, 0.0, 0.0, 0.0, 0.0), attended=float(page == 77), slots=((0.5,),)
        )
        for page in range(1, 91)
    ]
    pages[76] = replace(pages[76], cited=True)
    asked = replace(report(*pages), heads=((0.5,),), copying=((0.1,),))
    rows = [row for row in folded(overview(asked, columns), columns) if row.endswith("|")]
    assert len(rows) == 4 and all(row.count("|") == 2 for row in rows)
    assert len({len(row) for row in rows}) == 1 and len(rows[0]) <= min(72, columns)
    _, attended, cited, _ = rows
    (mark,) = (place for place, cell in enumerate(cited) if cell == "^")
    assert attended[mark] == "█"


def labelled(*labels: str | None) -> Report:
    return report(
        *(part(plain(f"<{page}>"), page=page, label=label, kind="pdf") for page, label in enumerate(labels, 1))
    )


def pages_of(told: Report, wanted: str) -> list[int | None]:
    return [found.page for found in parts_named(told, wanted)]


def test_a_page_is_found_as_pages_to_be_read_are() -> None:
    book = labelled("iv", "v", "vi", "2", "3", "B-1", "C,1")
    for wanted, places in {
        "V": [2], "v-vi": [2, 3], "V-3": [2, 3], "vi-": [3, 4, 5, 6, 7], "b-1": [6], "C,1": [7], "v,3": [2, 3, 5],
        "7": [7], " iv , B-1": [1, 6],
    }.items():  # fmt: skip
        assert pages_of(book, wanted) == places, wanted
    for wrong in ("vii", "v,vii", "vi-v", "8", "", "-", ",", "v,"):
        with pytest.raises(UsageError):
            parts_named(book, wrong)
    silent = replace(book, silent_pages={"ix": "page ix of book.pdf has no text", "8": "page 8 has none"})
    with pytest.raises(UsageError, match="page ix of"):
        parts_named(silent, "IX")


@given(st.lists(st.sampled_from([None, "i", "ii", "X", "x", "2", "7", "a-b"]), min_size=1, max_size=8), st.data())
def test_whatever_may_be_read_by_its_label_is_shown_by_it(labels: list[str | None], data: st.DataObject) -> None:
    ends = st.sampled_from(["i", "II", "x", "1", "2", "7", "a-b", "A"])
    wanted = data.draw(st.builds("{}-{}".format, ends, ends) | ends)
    try:
        places, _ = resolve_pages(wanted, len(labels), [label or "" for label in labels], name="book")
    except UsageError:
        return
    if all(word.isdigit() for word in wanted.split("-")):  # numbers mean what is printed before they mean places
        assert pages_of(labelled(*labels), wanted)
    else:
        assert set(places) <= set(pages_of(labelled(*labels), wanted))


def test_several_lines_are_shown_each_once() -> None:
    text = part(plain("one\ntwo\nthree\nfour\nfive\n"), lines=(1, 5))
    assert list(text_of(report(text), "5, 1-2,2-3"))[1:-1] == ["one\ntwo\nthree\nfive"]


def test_what_is_not_remembered_is_left_open_in_a_text() -> None:
    gone = Span(FORGOTTEN, NOTHING, 0.0, lines_forgotten=3)
    told = report(part([*plain("one\ntw"), gone, *plain("ve\nsix\n")], lines=(1, 6)))
    assert list(text_of(told, "6"))[1:-1] == ["six"]
    assert list(text_of(told, "1"))[1:-1] == ["one"]
    shown = list(text_of(told, "1-6"))
    assert shown[1] == "one\ntw […] ve\nsix" and "[…] text that is not remembered" in shown[-1]
    assert list(text_of(told, "3"))[1:] == ["its text is not remembered any more"]


def test_where_an_earlier_version_forgot_pages_the_report_says_so_and_tells_of_no_gap() -> None:
    dropped = report(part(plain("text"), page=1))
    assert any("longest gap: p. 1" in line for line in overview(dropped))
    partly = replace(dropped, n_untold=4)
    for told in ("\n".join(overview(partly)), html_report(partly)):
        assert "5 of 9 tokens" in told and "ongest gap" not in told
