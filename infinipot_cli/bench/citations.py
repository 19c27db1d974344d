"""Do citations name the page? Books with facts on known pages, questions about them, and the pages that were cited.

Every book holds a pass key and several plain facts, each on a page of its own, so that there is more than one page
worth attending to; one of the facts and the pass key are asked for.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infinipot_cli.bench.citation_record import CitationTrial
from infinipot_cli.bench.distilled import check_distilled
from infinipot_cli.bench.plants import Plant, facts, hide, is_right, passkeys
from infinipot_cli.documents import Document, TextPiece
from infinipot_cli.errors import UsageError
from infinipot_cli.explain.citations import cite
from infinipot_cli.session import Session, ask_all

PAGE_CHARS = 1500
N_FACTS = 5
KINDS = ("passkey", "fact")
# The printed number of the first page, so that nobody can confuse it with the page's place in the file.
FIRST_LABEL = 101
_PARAGRAPH_OR_SENTENCE = re.compile(r"[.!?][\"'”’)]*\s+")


@dataclass(frozen=True)
class Planted:
    """A book, and on which pages its plants stand.

    Attributes:
        pages: text of each page.
        plants: what was hidden and on which page, counted from 1; the pass key first, then the fact asked for.
    """

    pages: tuple[str, ...]
    plants: tuple[tuple[Plant, int], ...]


class PagedBook(Document):
    """Pages in memory."""

    kind = "pdf"

    def __init__(self, pages: tuple[str, ...]) -> None:
        self.name = "book"
        self.n_pages = len(pages)
        self.n_bytes = sum(map(len, pages))
        self.warnings = []
        self._pages = pages

    def pieces(self) -> Iterator[TextPiece]:
        """Each page as a piece."""
        n_chars = 0
        for number, page in enumerate(self._pages, start=1):
            text = page if number == 1 else f"\n\n{page}"
            yield TextPiece(text, number, n_chars, number / len(self._pages), str(FIRST_LABEL + number - 1))
            n_chars += len(text)

    def close(self) -> None:
        """Nothing is open."""


def make_book(text: str, n_pages: int, rng: random.Random) -> Planted:
    """Some pages of a text with plants on different ones of them.

    Args:
        text: where the pages are taken from, at any place.
        n_pages: more than `N_FACTS`.
        rng: of all choices.

    Raises:
        UsageError: the text is too short, or there are fewer pages than plants.
    """
    if n_pages <= N_FACTS:
        raise UsageError(f"a book needs more than {N_FACTS} pages, not {n_pages}")
    needed = (n_pages + 2) * PAGE_CHARS
    if len(text) < needed:
        raise UsageError(f"the book has {len(text)} characters, and {needed} are wanted", hint="take a longer --book")
    place = rng.randrange(len(text) - needed + 1)
    pages = [_page(text, place + number * PAGE_CHARS) for number in range(n_pages)]
    plants = [*passkeys(1, rng), *facts(N_FACTS, rng)]
    numbers = rng.sample(range(n_pages), len(plants))
    for plant, number in zip(plants, numbers, strict=True):
        pages[number] = hide(pages[number], plant.statement, rng.uniform(0.1, 0.8))
    return Planted(tuple(pages), tuple((plant, number + 1) for plant, number in zip(plants, numbers, strict=True)))


def run(session: Session, text: str, numbers: Iterable[int], *, n_pages: int, seed: int) -> Iterator[CitationTrial]:
    """Read the books of these numbers one after the other and ask two questions about each."""
    for number in numbers:
        book = make_book(text, n_pages, random.Random(f"citations {seed} {number}"))
        yield from _ask(session, book, number)


def _ask(session: Session, book: Planted, number: int) -> Iterator[CitationTrial]:
    asked = book.plants[:2]
    with session.reading_of([PagedBook(book.pages)], ask_all([plant.question for plant, _ in asked])) as reading:
        for _ in reading.read():
            pass
        check_distilled(reading.plan, reading.n_tokens, reading.pot)
        for question, (kind, (plant, page)) in enumerate(zip(KINDS, asked, strict=True)):
            given = "".join(reading.answer(question, watch=True)).strip()
            ranked = reading.passages()
            places = cite(ranked, threshold=0.0, most=10)
            yield CitationTrial(
                book=number,
                kind=kind,
                page=page,
                wanted=plant.answer,
                given=given,
                is_right=is_right(given, plant.answer),
                places=tuple((found.page or 0, found.score) for found in places),
                cited=tuple(found.page or 0 for found in cite(ranked)),
            )


def _page(text: str, place: int) -> str:
    """About a page of whole sentences."""
    starts = [match.end() for match in _PARAGRAPH_OR_SENTENCE.finditer(text, place, place + PAGE_CHARS)]
    first = starts[0] if starts else place
    following = _PARAGRAPH_OR_SENTENCE.search(text, place + PAGE_CHARS)
    return text[first : following.end() if following else place + PAGE_CHARS].strip()
