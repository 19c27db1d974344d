"""Ids of a text that arrives in pieces, equal to the ids of the whole text, in constant memory.

The text is encoded in overlapping windows and tokens are given out up to a cut: a place where a token ends
and a letter or digit is followed by a single space, newline or CJK punctuation mark and another letter or
digit. There every pre-tokenizer begins a new word, whatever comes before or after; 128 characters before
and 64 after the part taken keep the edges of a window out of it. Text without such a place is cut after
65,536 characters, counted from the last place, so even there the ids depend on the text only and never on
the sizes in which it was read; this is the one case where they may differ from those of the whole text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, Encoded

CONTEXT_CHARS = 128
LOOKAHEAD_CHARS = 64
WINDOW_CHARS = 16 * 1024
HARD_LIMIT_CHARS = 64 * 1024

_CUT = re.compile(r"(?<=[^\W_])[ \n、。，！？；：](?=[^\W_])")
# After a hard cut the text goes on as if one of these stood before it, so that no blank is put in front.
_LEADS = ("\n", "a", "0", ".", " ")


@dataclass(frozen=True, slots=True)
class TokenRun:
    """Consecutive tokens of a document.

    Args:
        ids: token ids; never empty.
        char_start: for each token, characters of the document before the first one it holds bytes of.
        char_end: characters of the document before the end of the last token.
    """

    ids: list[int]
    char_start: list[int]
    char_end: int


def stream_tokens(
    pieces: Iterable[TextPiece], tokenizer: DocumentTokenizer, *, window_chars: int = WINDOW_CHARS
) -> Iterator[TokenRun]:
    """Tokenize a document while it is read.

    Runs come as soon as later text can no longer change them, about 64 characters behind what was read.

    Args:
        pieces: consecutive pieces of one document.
        tokenizer: the model's tokenizer; control tokens in the text stay text.
        window_chars: characters encoded at a time when that many are there; does not change the ids.

    Yields:
        Runs whose ids joined are `tokenizer.encode` of the joined text.
    """
    encoder = _WindowEncoder(tokenizer, window_chars)
    for piece in pieces:
        encoder.push(piece)
        while run := encoder.next_run():
            yield run
    if run := encoder.last_run():
        yield run


class _WindowEncoder:
    """The text not yet given out, with the context before it.

    `_text[:_taken]` is context whose tokens are out, `_origin` the document index of `_text[0]`, and
    `_searched` how far cuts have been looked for in vain.
    """

    def __init__(self, tokenizer: DocumentTokenizer, window_chars: int) -> None:
        self._tokenizer = tokenizer
        self._window_chars = window_chars
        self._text = ""
        self._origin: int | None = None
        self._taken = 0
        self._searched = 0
        self._after_hard_cut = False

    def push(self, piece: TextPiece) -> None:
        if self._origin is None:
            self._origin = piece.char_start
        self._text += piece.text

    def next_run(self) -> TokenRun | None:
        """Tokens that are settled, at most about a window of them; None when more text is needed."""
        while True:
            settled = len(self._text) - LOOKAHEAD_CHARS
            cut = self._find_cut(min(settled, self._taken + HARD_LIMIT_CHARS))
            if cut is not None:
                if run := self._take(cut):
                    return run
                self._searched = cut + 1  # no token ends at a cut up to there
            elif settled - self._taken < HARD_LIMIT_CHARS:
                return None
            else:
                return self._take_hard(self._taken + HARD_LIMIT_CHARS)

    def last_run(self) -> TokenRun | None:
        """The tokens of the rest: no more text is coming."""
        if len(self._text) == self._taken:
            return None
        return self._run(self._encode(self._text), len(self._text))

    def _find_cut(self, limit: int) -> int | None:
        """The last place to cut within a window, or else the first one up to `limit`."""
        low = max(self._taken + 1, self._searched)
        near = min(limit, self._taken + self._window_chars)
        for stop in range(near, low - 1, -256):
            # endpos hides what lies behind it from the lookahead, so it includes the two characters needed
            found = [m.start() for m in _CUT.finditer(self._text, max(low, stop - 255), stop + 2)]
            if found:
                return found[-1]
        match = _CUT.search(self._text, max(low, near + 1), limit + 2)
        if match is None:
            self._searched = max(low, limit + 1)
        return match.start() if match else None

    def _take(self, cut: int) -> TokenRun | None:
        encoded = self._encode(self._text[: cut + LOOKAHEAD_CHARS])
        ends = encoded.ends
        # Where tokens hold several words one may cross the cut: then an earlier cut they respect will do.
        for last in range(bisect_right(ends, cut) - 1, -1, -1):
            end = ends[last]
            is_cut = end == cut or _CUT.match(self._text, end) is not None
            if end > self._taken and is_cut and (last + 1 == len(ends) or ends[last + 1] > end):
                run = self._run(encoded, end)
                self._forget(end, keep=CONTEXT_CHARS)
                return run
        return None

    def _take_hard(self, cut: int) -> TokenRun | None:
        run = self._run(self._encode(self._text[:cut]), cut)
        self._forget(cut, keep=0)
        self._after_hard_cut = True
        return run

    def _encode(self, window: str) -> Encoded:
        """Tokens of a window after its context; offsets count from the start of the window."""
        if self._after_hard_cut:
            encoded = self._encode_as_middle(window, 0)
            return _after(encoded, bisect_right(encoded.ends, self._taken), shift=0)
        encoded = self._tokenizer.encode_with_offsets(window)
        if self._taken == 0:
            return encoded
        n_context = bisect_right(encoded.ends, self._taken)
        if n_context == 0 or encoded.ends[n_context - 1] != self._taken:
            # the shorter context misled the tokenizer; never met, but text must not be lost or doubled
            return self._encode_as_middle(window[self._taken :], self._taken)
        return _after(encoded, n_context, shift=0)

    def _encode_as_middle(self, text: str, offset: int) -> Encoded:
        """Tokens of a text that is not the beginning of one, without any of the text before it."""
        for lead in _LEADS:
            # judged by the first characters only, so that the choice does not depend on the window
            if 1 in self._tokenizer.encode_with_offsets(lead + text[:LOOKAHEAD_CHARS]).ends:
                encoded = self._tokenizer.encode_with_offsets(lead + text)
                return _after(encoded, bisect_right(encoded.ends, 1), shift=offset - 1)
        return _after(self._tokenizer.encode_with_offsets(text), 0, shift=offset)

    def _run(self, encoded: Encoded, end: int) -> TokenRun | None:
        n_tokens = bisect_right(encoded.ends, end)
        ids = encoded.ids[:n_tokens]
        assert self._origin is not None
        assert self._tokenizer.control_ids.isdisjoint(ids), "a document spoke with control tokens"
        if not ids:
            return None
        starts = [self._origin + start for start in encoded.starts[:n_tokens]]
        return TokenRun(ids, starts, self._origin + encoded.ends[n_tokens - 1])

    def _forget(self, cut: int, *, keep: int) -> None:
        assert self._origin is not None
        dropped = max(cut - keep, 0)
        self._text = self._text[dropped:]
        self._origin += dropped
        self._taken = self._searched = cut - dropped
        self._after_hard_cut = self._after_hard_cut and dropped == 0


def _after(encoded: Encoded, first: int, *, shift: int) -> Encoded:
    """The tokens from index `first` on, their offsets moved by `shift`."""
    starts, ends = encoded.starts[first:], encoded.ends[first:]
    if shift:
        starts, ends = [start + shift for start in starts], [end + shift for end in ends]
    return Encoded(encoded.ids[first:], starts, ends)
