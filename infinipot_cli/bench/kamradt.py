"""Kamradt's needle in a haystack: one sentence in essays, placed and asked for as in his test, scored without a judge.

Needle, question, the room left of a context and the place behind a full stop are those of
gkamradt/LLMTest_NeedleInAHaystack. Differs: his judge is a large model that gives 1 to 10; here the score is the share
of the expected words that the answer has, which anybody can repeat. Essays are taken in the order of their names.
"""

from infinipot_cli.bench import haystack
from infinipot_cli.bench.metrics import answer_words
from infinipot_cli.bench.plants import Plant
from infinipot_cli.errors import UsageError
from infinipot_cli.tokens import DocumentTokenizer

NEEDLE = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day."
QUESTION = "What is the best thing to do in San Francisco?"
EXPECTED = "eat a sandwich and sit in Dolores Park on a sunny day"
ORIGINAL = Plant(NEEDLE, QUESTION, EXPECTED)
# Tokens of a context that the original leaves for its prompt.
BUFFER = 200
DEPTHS = tuple(tenth / 10 for tenth in range(11))


def word_share(given: str, expected: str) -> float:
    """Share of the expected different words that an answer has, 0 to 1; case, punctuation and articles do not count."""
    wanted = set(answer_words(expected))
    return len(wanted & set(answer_words(given))) / len(wanted) if wanted else 0.0


def trimmed(text: str, needle: str, tokenizer: DocumentTokenizer, length: int) -> str:
    """The haystack for a context of `length` tokens: what the buffer and the needle leave of it.

    Raises:
        UsageError: they leave nothing.
    """
    return haystack.fit(text, tokenizer, room(needle, tokenizer, length))


def room(needle: str, tokenizer: DocumentTokenizer, length: int) -> int:
    """Tokens of the haystack in a context of `length` tokens, at least 1.

    Raises:
        UsageError: the buffer and the needle leave none.
    """
    taken = BUFFER + len(tokenizer.encode(f"\n{needle}\n"))
    if length <= taken:
        raise UsageError(
            f"{length} tokens are too few: {BUFFER} stay free for the prompt, and the needle takes {taken - BUFFER}",
            hint=f"--tokens {taken + 1} is the least here",
        )
    return length - taken


def placed(text: str, needle: str, tokenizer: DocumentTokenizer, depth: float) -> str:
    """The text with the needle behind the last full stop in front of a depth.

    Args:
        text: the haystack.
        needle: the sentence.
        tokenizer: depth is a share of its tokens.
        depth: 0 to 1; at 1 the needle is the end of the text.
    """
    if depth >= 1:
        return f"{text}\n{needle}\n"
    _, ends = tokenizer.encode_with_ends(text)
    before = int(len(ends) * depth)
    place = text.rfind(".", 0, ends[before - 1]) + 1 if before else 0
    return f"{text[:place]}\n{needle}\n{text[place:]}"
