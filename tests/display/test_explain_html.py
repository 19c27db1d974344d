"""The HTML report: how large it gets at most, that every link leads somewhere, and what joined spans say."""

import random
import re
from html import unescape
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.display.explain_html import html_report
from infinipot_cli.display.explain_spans import mean_spans, width_for
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.record import RULES, Part, Report, Span

N_PAGES, N_TOKENS, N_LAYERS, N_HEADS = 200, 700, 32, 8
SPANS = st.lists(
    st.builds(
        lambda text, kept, attended: Span(text, (kept, kept / 2), attended),
        st.text("ab <&", min_size=1, max_size=60),
        st.sampled_from([0.0, 0.1, 0.5]),
        st.sampled_from([0.0, 0.25]),
    ),
    max_size=40,
)


def page(number: int, spans: tuple[Span, ...], slots: tuple[tuple[float, ...], ...]) -> Part:
    return Part(
        path="book.pdf", page=number, label=None, lines=None, n_tokens=N_TOKENS, kept=(0.2, 0.2, 0.1, 0.0, 0.0),
        attended=0.005, cited=number == 7, spans=spans, slots=slots, evicted=((number, 0.5),),
    )  # fmt: skip


def passage(number: int) -> Passage:
    return Passage(0, "book.pdf", "pdf", number, None, None, (0, 9), "The key <b>", 0.9)


@pytest.fixture(scope="module")
def large() -> Report:
    """A book of which every token is held by other slots than its neighbours: as much as a report can have to say."""
    chance = random.Random(3)

    def text() -> tuple[Span, ...]:
        return tuple(
            Span(
                f" w{chance.randrange(999)}",
                (*(chance.random() / 3 for _ in range(3)), 0.0, 0.0),
                chance.random() / 1e5,
            )
            for _ in range(N_TOKENS)
        )

    slots = [tuple(tuple(chance.random() for _ in range(N_HEADS)) for _ in range(N_LAYERS)) for _ in range(N_PAGES)]
    heads = tuple(tuple(chance.random() for _ in range(4 * N_HEADS)) for _ in range(N_LAYERS))
    return Report(
        question="Which?", answer="7", n_tokens=N_PAGES * N_TOKENS, kept_share=0.5, protected=3,
        parts=tuple(page(number, text(), slots[number - 1]) for number in range(1, N_PAGES + 1)),
        passages=(passage(7), passage(150)), cited=(passage(7),), passes=(), heads=heads, copying=heads,
        agreement=(0.25, 0.75),
    )  # fmt: skip


@pytest.fixture(scope="module")
def raw(large: Report) -> str:
    return html_report(large)


def test_a_report_on_200_pages_stays_under_5_mb_whatever_the_pot_holds(large: Report, raw: str) -> None:
    assert len(raw.encode()) < 5e6
    texts = re.findall(r'<div class="text">(.*?)</div>', raw, re.DOTALL)
    shown = [unescape(re.sub("<[^>]*>", "", text)) for text in texts]
    assert shown == ["".join(span.text for span in part.spans) for part in large.parts]
    assert "with their mean" in raw and "Agreement: 0.50" in raw


def test_every_link_leads_to_a_place_in_the_report(raw: str) -> None:
    places = re.findall(r'id="([^"]*)"', raw)
    links = re.findall(r'href="#([^"]*)"', raw)
    assert sorted(set(places)) == sorted(places) and set(links) == set(places)
    assert '<a href="#p6">p. 7</a>' in raw and '<a href="#p149">p. 150</a>' in raw
    assert len(re.findall(r"<td class=k", raw)) == N_LAYERS * N_HEADS * 50


def test_a_small_report_shows_every_span_as_it_is() -> None:
    spans = (Span("kept", (0.5, 0.25, 0.0, 0.0, 0.0), 0.02), Span(" dropped", (0.0,) * len(RULES), 0.0))
    report = Report("", "", 2, 0.5, 0, (page(1, spans, ((0.5,),)),), (), (), (), (), ())
    raw = html_report(report)
    assert '<span class="s3 a" title="kept 75 %: CaP 50, NuC 25; attended 2 %">kept</span> dropped</div>' in raw
    assert "with their mean" not in raw


def test_a_passage_is_looked_for_where_its_characters_stand_though_two_parts_share_its_line() -> None:
    def part(lines: tuple[int, int], char: tuple[int, int]) -> Part:
        return Part("a.txt", None, None, lines, 9, (0.0,) * len(RULES), 0.0, False, (), ((0.5,),), (), char)

    parts = (part((1, 65), (0, 100)), part((65, 90), (100, 200)))
    source = Passage(0, "a.txt", "text", None, None, 65, (100, 130), "Here", 0.9)
    assert [one.holds(source) for one in parts] == [False, True]
    raw = html_report(Report("", "", 18, 0.0, 0, parts, (source,), (), (), (), ()))
    assert '<a href="#p1">l. 65</a>' in raw
    assert [page(number, (), ()).holds(passage(7)) for number in (6, 7, 8)] == [False, True, False]


@settings(max_examples=40)
@given(SPANS, st.integers(1, 9))
def test_joined_spans_keep_the_text_the_attention_and_the_mean(spans: list[Span], width: int) -> None:
    joined = list(mean_spans(spans, width))

    def mass(found: list[Span]) -> float:
        return sum(span.share * len(span.text) for span in found)

    assert "".join(span.text for span in joined) == "".join(span.text for span in spans)
    assert mass(joined) == pytest.approx(mass(spans))
    assert sum(span.attended for span in joined) == pytest.approx(sum(span.attended for span in spans))
    dropped = {span.text for span in spans if len(span.text) >= 40 and not (span.share or span.attended)}
    assert dropped <= {span.text for span in joined}
    if width == 1:
        assert joined == spans


@settings(max_examples=40)
@given(st.lists(SPANS, max_size=4), st.integers(1, 20))
def test_spans_are_joined_no_more_than_they_must_be(texts: list[list[Span]], most: int) -> None:
    def n_marked(width: int) -> int:
        return sum(bool(span.share or span.attended) for spans in texts for span in mean_spans(spans, width))

    def n_runs(spans: list[Span]) -> int:
        """Marked spans that no width can join: those that long dropped text divides."""
        parts = groupby(spans, key=lambda span: len(span.text) >= 40 and not (span.share or span.attended))
        return sum(not alone and any(span.share or span.attended for span in run) for alone, run in parts)

    width = width_for(texts, most)
    assert n_marked(width) <= max(most, sum(map(n_runs, texts)))
    assert width == 1 or n_marked(width // 2) > most
