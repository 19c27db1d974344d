"""One thing that RULER asks: a long text, a question about it and the words in front of the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infinipot_cli.tokens import DocumentTokenizer

# One line of meaningless text, as RULER repeats it.
NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."


@dataclass(frozen=True)
class Sample:
    """One text with its question.

    Attributes:
        text: the official prompt up to the end of the long text.
        question: the rest of it.
        answer_prefix: how the answer begins; the model goes on from there.
        wanted: what the answer should contain.
    """

    text: str
    question: str
    answer_prefix: str
    wanted: tuple[str, ...]

    def n_tokens(self, tokenizer: DocumentTokenizer) -> int:
        """Tokens of the prompt, without chat format and answer."""
        return sum(len(tokenizer.encode(part)) for part in (self.text, self.question, self.answer_prefix))


def largest(make: Callable[[int], Sample], room: int, tokenizer: DocumentTokenizer, sizes: Sequence[int]) -> int | None:
    """The largest size whose sample takes at most so many tokens, found by halving as RULER finds it.

    Args:
        make: a sample of a size; a larger size gives a longer text.
        room: most tokens.
        tokenizer: of the model that will read.
        sizes: smallest that makes sense, and the first to try.

    Returns:
        None if not even the smallest fits; where samples stop growing before that, a size whose double gives the same.
    """
    low, high = sizes[0], max(sizes)
    if make(low).n_tokens(tokenizer) > room:
        return None
    before, made = None, make(high)
    while made.n_tokens(tokenizer) <= room:
        if made == before:
            return low
        low, high = high, 2 * high
        before, made = made, make(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if make(middle).n_tokens(tokenizer) <= room else (low, middle)
    return low
