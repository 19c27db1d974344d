"""Citations: attention mapped back to the sentence, page and line it fell on."""

from itertools import pairwise

import pytest
import torch

from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.engine import Attended
from infinipot_cli.explain.citations import Passage, cite
from infinipot_cli.explain.evidence import token_lookup
from infinipot_cli.explain.held import Held
from infinipot_cli.explain.passages import passages
from infinipot_cli.explain.sentences import MOST_QUOTE_CHARS, ends, quote, sentence_at
from infinipot_cli.explain.trail import Trail
from infinipot_cli.tokens.stream import TokenRun

PREFIX = 3
PAGES = ("The ship lay still. Nobody slept.", "The key is 71432. It was dark.", "Morning came. The key was gone.")


def trail_of(*pages: str, numbered: bool = True) -> Trail:
    """One token a character; its id is the character's code."""
    trail = Trail(PREFIX)
    trail.begin("book.pdf" if numbered else "book.txt", "pdf" if numbered else "text")
    done = 0
    pieces = []
    for number, page in enumerate(pages, 1):
        text = page if number == 1 else f"\n\n{page}"
        pieces.append(TextPiece(text, number if numbered else None, done, None, str(number + 200)))
        done += len(text)
    text = "".join(piece.text for piece in trail.watch(pieces))
    trail.add(TokenRun([ord(letter) for letter in text], list(range(len(text))), len(text)))
    return trail


def attention_on(trail: Trail, places: dict[int, float], *, copied: bool) -> Attended:
    attended = Attended()
    attended.origins = torch.arange(trail.n_seen).expand(2, 1, -1).clone()
    attended.total = torch.zeros(2, 2, trail.n_seen)
    attended.copied = torch.zeros_like(attended.total)
    attended.total[..., : PREFIX + 1] = 5.0  # a sink
    for place, weight in places.items():
        (attended.copied if copied else attended.total)[1, 1, PREFIX + place] += weight
    attended.n_rows = 1
    return attended


def whole(trail: Trail) -> str:
    return "".join(block.text for block in trail.blocks)


def test_attention_leads_to_the_sentence_on_its_page() -> None:
    trail = trail_of(*PAGES)
    place = whole(trail).index("71432")
    ranked = passages(trail, attention_on(trail, {place: 0.5, place + 1: 0.4, 2: 0.1}, copied=True), PREFIX)
    first, second = ranked
    assert (first.page, first.label, first.line, first.quote, first.score) == (2, "202", None, "The key is 71432.", 0.9)
    assert whole(trail)[slice(*first.char)] == first.quote
    assert second.quote == "The ship lay still."
    assert cite(ranked) == [first]
    assert cite(ranked, threshold=0.1) == [first, second]


def test_what_is_kept_of_a_passage_and_attended_on_it_are_told_apart_from_its_score() -> None:
    trail = trail_of(*PAGES)
    text, key = whole(trail), "The key is 71432."
    start = PREFIX + text.index(key)
    attended = attention_on(trail, {text.index("71432"): 0.5}, copied=True)
    attended.total[0, 0, start : start + len(key)] += 2.0 / len(key)
    attended.total[..., PREFIX] = 0.0
    attended.total[0, 0, PREFIX + text.index("Morning")] += 6.0
    held = torch.full((2, 1, trail.n_seen), -1)
    held[0, 0, :10] = torch.arange(start, start + 10)
    held[1, 0, :3] = torch.tensor([start - 1, start + len(key) - 1, start + len(key)])
    (only,) = passages(trail, attended, PREFIX, Held(held, torch.zeros_like(held)))
    assert (only.quote, only.score) == (key, 1.0)
    assert only.kept == pytest.approx(11 / (2 * len(key)), abs=1e-4)
    assert only.attention == pytest.approx(2.0 / 8.0, abs=1e-4)
    assert {"kept", "attention", "score"} <= only.to_record().keys()


def test_a_sink_that_nothing_was_copied_from_is_not_cited() -> None:
    trail = trail_of(*PAGES)
    place = whole(trail).index("Morning")
    (only,) = passages(trail, attention_on(trail, {place: 0.01}, copied=True), PREFIX)
    assert only.quote == "Morning came."
    told = passages(trail, attention_on(trail, {}, copied=False), PREFIX)
    assert told[0].quote == "The ship lay still."  # all attention counts where nothing was copied


def test_texts_are_cited_by_line() -> None:
    trail = trail_of("2024-01-01 start\n2024-01-02 error 71\n2024-01-03 stop", numbered=False)
    place = whole(trail).index("71")
    (only,) = passages(trail, attention_on(trail, {place: 1.0}, copied=True), PREFIX)
    assert (only.page, only.line, only.quote) == (None, 2, "2024-01-02 error 71")


def test_sentences_of_one_page_count_together() -> None:
    def passage(page: int, score: float) -> Passage:
        return Passage(0, "a.pdf", "pdf", page, None, None, (page, page + 1), f"{page} {score}", score)

    ranked = [passage(1, 0.4), passage(2, 0.3), passage(2, 0.3), passage(3, 0.1)]
    assert [(found.page, found.quote) for found in cite(ranked)] == [(2, "2 0.3"), (1, "1 0.4")]
    assert cite([]) == []


def test_tokens_are_looked_up_where_the_trail_knows_them() -> None:
    trail = trail_of(*PAGES)
    origins = torch.tensor([[0, PREFIX, PREFIX + 1], [trail.n_seen, PREFIX, 1]])
    assert token_lookup(trail, origins).tolist() == [[-1, ord("T"), ord("h")], [-1, ord("T"), -1]]


def test_quotes_end_where_sentences_do() -> None:
    text = "He came. Dr. Livesey said so,\nand went home! “Why?” asked he."
    for word, wanted in (("came", "He came."), ("Livesey", "Dr. Livesey said so, and went home!")):
        start, end = sentence_at(text, text.index(word))
        assert quote(text[start:end], 0) == wanted
    long = "word " * 200
    shown = quote(long, 500)
    assert shown.startswith("…word") and shown.endswith("word…") and len(shown) <= MOST_QUOTE_CHARS + 2


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("town,code\nDover Castle,90817\nYork,1001\n", ["town,code\n", "Dover Castle,90817\n", "York,1001\n"]),
        ("town;code\nDover;1\n", ["town;code\n", "Dover;1\n"]),
        ("town\tcode\nDover\t1", ["town\tcode\n", "Dover\t1"]),
        ("They were, all\nin all, about\n1,000 or,\nwho knows, 2,000 men", None),
        ("The sum was\n about 12,000 pounds", None),
    ],
)
def test_rows_of_a_table_are_apart_and_wrapped_prose_is_not(text: str, rows: list[str] | None) -> None:
    places = [0, *ends(text), len(text)]
    found = [text[start:end] for start, end in pairwise(places) if start < end]
    if rows is None:
        assert all(not part.endswith("\n") or text[text.index(part) + len(part)].isdigit() for part in found)
    else:
        assert found == rows


def test_a_token_of_blanks_at_the_end_is_no_source() -> None:
    trail = trail_of("The key is 71432.\n", numbered=False)
    assert passages(trail, attention_on(trail, {len("The key is 71432."): 1.0}, copied=True), PREFIX) == []
