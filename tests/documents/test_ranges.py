"""Ranges of pages and lines: against sets of numbers, and whatever cutting of the text."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.documents import Wishes
from infinipot_cli.documents.ranges import LineFilter, check_pages, parse_lines, resolve_pages
from infinipot_cli.errors import UsageError

N_PAGES = 30
LABELS = ["i", "ii", "iii", "iv", "A-1", "A-2", *(str(number) for number in range(1, 25))]

parts = st.tuples(st.integers(1, N_PAGES), st.integers(0, 40)).map(lambda ends: (ends[0], ends[0] + ends[1]))


@given(st.lists(parts, min_size=1, max_size=6), st.booleans())
def test_pages_are_the_union_of_the_parts_in_order(ranges: list[tuple[int, int]], spaced: bool) -> None:
    comma, dash = (" , ", " - ") if spaced else (",", "-")
    text = comma.join(f"{a}{dash}{b}" if a < b else f"{a}" for a, b in ranges)
    check_pages(text)
    expected = {page for a, b in ranges for page in range(a, b + 1) if page <= N_PAGES}
    pages, warning = resolve_pages(text, N_PAGES, name="book.pdf")
    assert pages == sorted(expected)
    assert (warning is not None) == any(b > N_PAGES for _, b in ranges)


@given(st.text(alphabet="0123456789-,ivxA ", max_size=12))
def test_any_text_is_pages_or_a_mistake_of_usage(text: str) -> None:
    try:
        check_pages(text)
        pages, _ = resolve_pages(text, N_PAGES, LABELS, name="book.pdf")
    except UsageError:
        return
    assert pages == sorted(set(pages))
    assert pages
    assert set(pages) <= set(range(1, N_PAGES + 1))


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("ii-iv", [2, 3, 4]),
        ("II", [2]),
        ("A-1", [5]),
        ("A-1-A-2", [5, 6]),
        ("iv-A-1", [4, 5]),
        ("iii-5", [3, 4, 5]),
        ("29-", [29, 30]),
        ("7", [7]),
    ],
)
def test_labels_are_found_and_digits_are_places(text: str, pages: list[int]) -> None:
    assert resolve_pages(text, N_PAGES, LABELS, name="book.pdf") == (pages, None)


@pytest.mark.parametrize("text", ["", "1,,2", ",", "0", "5-3", "0-4"])
def test_what_names_no_page_of_any_document_is_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError):
        check_pages(text)


@pytest.mark.parametrize("text", ["", "a", "-5", "3-1", "0-2", "1;2", "1-2-3"])
def test_what_names_no_lines_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_lines(text)


@given(
    st.lists(st.tuples(st.integers(1, 20), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=4),
    st.lists(st.text(alphabet="ab", max_size=3), max_size=25),
    st.lists(st.integers(0, 60), max_size=5),
    st.booleans(),
)
def test_lines_are_those_of_the_whole_text_whatever_the_cutting(
    ranges: list[tuple[int, int | None]], lines: list[str], cuts: list[int], ends: bool
) -> None:
    text = "\n".join(lines) + ("\n" if ends and lines else "")
    wanted = ",".join(f"{a}-" if n is None else f"{a}-{a + n}" for a, n in ranges)
    expected = [
        line
        for number, line in enumerate(text.splitlines(keepends=True), start=1)
        if any(a <= number and (n is None or number <= a + n) for a, n in ranges)
    ]
    chosen = LineFilter(parse_lines(wanted))
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [chosen.push(text[a:b]) for a, b in pairwise(places)]
    assert "".join(pieces) == "".join(expected)
    if not chosen.is_done:
        assert chosen.n_lines == len(text.splitlines())


@given(st.lists(parts, min_size=1, max_size=6), st.booleans())
def test_lines_that_are_read_have_the_numbers_of_the_file(ranges: list[tuple[int, int]], is_open: bool) -> None:
    wanted = ",".join([*(f"{a}-{b}" for a, b in ranges), *(["60-"] if is_open else [])])
    text = "".join(f"{number}\n" for number in range(1, 81))
    numbers = Wishes(lines=wanted).line_numbers
    read = LineFilter(parse_lines(wanted)).push(text).split()
    assert [str(numbers.of(numbers.first + place)) for place in range(len(read))] == read
