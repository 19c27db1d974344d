"""Answers in the words of the text: every phrase of the passages that could be one, and which of them to give.

A small reader's greedy answer takes its first token first and may end in words that stand nowhere. Phrases that the
text holds can be weighed as a whole instead, and what is given then is not simply the likeliest of them but the one
that agrees best with all others, each as likely as it is (minimum Bayes risk): where the mass lies on several readings
of one place, their common core wins over a stray one. How likely they are, and that none of them is the answer, is what
the model says and what the question's words say that stand near them (`nearness.py`).
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infinipot_cli.engine import Pot, weigh
from infinipot_cli.explain.citations import REFUSAL
from infinipot_cli.explain.nearness import Nearness
from infinipot_cli.explain.words import ASKING
from infinipot_cli.tokens.tokenizer import DocumentTokenizer

# Tokens of a phrase.
LONGEST = 16
# How many of the likeliest are held against each other.
MOST_COMPARED = 40
# What a probability is raised to when they are: less than 1 gives readings that are less likely more of a say.
SHARPNESS = 0.5
# What being the answer to the letter counts beside agreeing with it in words, which counts 1 where nothing differs.
EXACTNESS = 0.5

# Nats by which a phrase gains with all of the question's words beside it.
NEARNESS = 12.0
# Nats below the likeliest phrase at which another is no answer, however near it stands.
PLAUSIBLE = 5.0
# How many times as likely as every phrase it must be that there is no answer: less where the passages hold less than
# this share of the question's words, more where they hold more. A small reader says too often that there is none of
# what stands there in the question's own words, and too seldom of what does not.
REFUSED_AT = ((0.25, 0.03), (0.5, 0.5), (math.inf, 3.0))
# And nats that count against it of a phrase with all of the words beside it; of one that is only half as near, none.
BESIDE = 4.0

# What stands inside a number or a word: 700,000, 3.5, 12:30, o'clock; but "Paris,1889,7" are three cells.
_JOINT = re.compile(r"(?<=\d)(?<!\d{4}),(?=\d{3}(?!\d))|(?<=\d):(?=\d)|(?<=\w)\.(?=\w)|(?<=[^\W\d])['’](?=[^\W\d])")
_BEGINS = re.compile(r"(?<!\S)\S|(?<!\w)\w")
_CLOSING = frozenset(')]}"”’»%°')
_PAIRS = ("()", "[]", "{}", "“”", "«»")
_MARKS = ('"', "`")  # open and close alike
_WORD = re.compile(r"\w+")
# Words that point at something and name nothing; in capitals some are names (US, IT).
_NAMELESS = ASKING | frozenset("but if so i me my mine we us our you your him them those here am don didn".split())


def as_running_text(ids: Sequence[int], tokenizer: DocumentTokenizer) -> list[tuple[int, list[int]]]:
    """A passage as its lines would follow one another in one: a blank in the place of every line end inside it.

    A small reader takes the end of a line for the end of a name, and texts that were wrapped have names across it.

    Args:
        ids: of the passage.
        tokenizer: the model's.

    Returns:
        Its parts: how many of the passage's tokens come before, and what is read for those from there on, one for one.
    """
    blank = tokenizer.encode(" ")
    texts = {token: tokenizer.decode([token]) for token in set(ids)}
    inside = range(1, len(ids) - 1)
    line_ends = [place for place in inside if "\n" in texts[ids[place]] and texts[ids[place]].isspace()]
    parts = [(0, list(ids[: line_ends[0]] if line_ends else ids))]
    for place, following in itertools.pairwise([*line_ends, len(ids)]):
        line = list(ids[place + 1 : following])
        with_blank = tokenizer.encode(" " + tokenizer.decode(line))
        if len(with_blank) == len(line):
            parts.append((place + 1, with_blank))
        else:
            parts.append((place, [*(blank if len(blank) == 1 else ids[place : place + 1]), *line]))
    return parts


def windows(passage: str, tokenizer: DocumentTokenizer, *, joint: str) -> Iterator[tuple[tuple[int, ...], set[int]]]:
    """From every word of a passage on, the tokens that an answer could have, and after how many of them it may end.

    Args:
        passage: a piece of text; where its lines end, an answer has a blank.
        tokenizer: the model's.
        joint: what an answer of the model begins with, a blank for most.
    """
    whole = " ".join(passage.split())
    joints = {found.start() for found in _JOINT.finditer(whole)}
    for begin in _BEGINS.finditer(whole):
        first = begin.start()
        if first - 1 in joints:
            continue
        text = joint + whole[first : first + 12 * LONGEST]
        ids, ends = tokenizer.encode_with_ends(text)
        uncut = [number for number in range(1, len(ids)) if ends[number] > ends[number - 1]]  # of no character a part
        places = {number: first + ends[number - 1] - len(joint) for number in (*uncut, len(ids)) if number <= LONGEST}
        may_end = {
            number
            for number, end in places.items()
            if end not in joints and _is_end(whole, first, end) and _may_answer(whole[first:end])
        }
        if may_end:
            yield tuple(ids[: max(may_end)]), may_end


def _is_end(text: str, first: int, end: int) -> bool:
    """Whether a phrase from `first` on may end in front of this character: not in a word, nor behind what opens."""
    if end <= first:
        return False
    last, behind = text[end - 1], text[end : end + 1]
    if last.isalnum():
        return not behind.isalnum()
    return last in _CLOSING or not behind or behind.isspace()


def _may_answer(phrase: str) -> bool:
    """Whether a phrase names anything, closes what it opens and opens what it closes."""
    words = _WORD.findall(phrase)
    if words and all(word.lower() in _NAMELESS and (len(word) == 1 or not word.isupper()) for word in words):
        return False
    if phrase.isalnum():
        return True
    paired = all(phrase.count(pair[0]) == phrase.count(pair[1]) for pair in _PAIRS)
    return paired and all(phrase.count(mark) % 2 == 0 for mark in _MARKS)


def agreeing(logprobs: Mapping[str, float]) -> str:
    """Of the phrases, the one that agrees best with all of them; the figures were chosen on questions of SQuAD.

    Args:
        logprobs: of each phrase that it is the answer, nats.
    """
    likeliest = sorted(logprobs, key=lambda phrase: (-logprobs[phrase], phrase))[:MOST_COMPARED]
    words = {phrase: Counter(_WORD.findall(phrase.casefold())) for phrase in likeliest}
    weights = {phrase: math.exp(SHARPNESS * (logprobs[phrase] - logprobs[likeliest[0]])) for phrase in likeliest}

    def worth(one: str) -> float:
        shared = sum(weights[other] * _f1(words[one], words[other]) for other in likeliest)
        return shared + EXACTNESS * weights[one]

    return max(likeliest, key=worth)


def _f1(one: Counter[str], other: Counter[str]) -> float:
    """Agreement of two phrases in their words, as SQuAD counts it."""
    common = (one & other).total()
    return 2 * common / (one.total() + other.total()) if common else float(one == other)


def distinct(
    weighed: Mapping[tuple[int, ...], float], texts: Sequence[str]
) -> dict[str, tuple[tuple[int, ...], float]]:
    """Of phrases that read alike, the likeliest with its tokens.

    Args:
        weighed: log-probabilities by token ids.
        texts: what they read as, in the same order.
    """
    found: dict[str, tuple[tuple[int, ...], float]] = {}
    for (ids, logprob), text in zip(weighed.items(), texts, strict=True):
        if text not in found or found[text][1] < logprob:
            found[text] = (ids, logprob)
    return found


def best_phrase(
    model: Any,
    pot: Pot,
    passages: Sequence[str],
    suffix: Sequence[int],
    tokenizer: DocumentTokenizer,
    stop_ids: frozenset[int],
    nearness: Nearness,
) -> Sequence[int]:
    """The tokens of the phrase that answers, once the question was read; none if no phrase is likely at all.

    Args:
        model: that filled the pot.
        pot: has read passages and question.
        passages: where the phrase stands.
        suffix: tokens of the question.
        tokenizer: the model's.
        stop_ids: tokens that end an answer.
        nearness: of phrases to the question's words.
    """
    phrases = candidates(passages, tokenizer, joint=joint(suffix, tokenizer))
    return chosen(weigh(model, pot, phrases, stop_ids), tokenizer, nearness)


def joint(suffix: Sequence[int], tokenizer: DocumentTokenizer) -> str:
    """What stands between the end of a question, given by its tokens, and the first word of an answer."""
    return "" if tokenizer.decode(suffix[-1:])[-1:].isspace() else " "


def candidates(passages: Sequence[str], tokenizer: DocumentTokenizer, *, joint: str) -> dict[tuple[int, ...], set[int]]:
    """All that may be an answer, as `windows` gives it: the phrases of the passages, and that there is none."""
    refusal = tuple(tokenizer.encode(joint + REFUSAL))
    phrases = {refusal: {len(refusal)}}
    for passage in passages:
        for ids, ends in windows(passage, tokenizer, joint=joint):
            phrases[ids] = phrases.get(ids, set()) | ends
    return phrases


def chosen(weighed: Mapping[tuple[int, ...], float], tokenizer: DocumentTokenizer, nearness: Nearness) -> Sequence[int]:
    """The tokens of the answer among weighed candidates; none where nothing is likely.

    Args:
        weighed: log-probabilities, nats, by token ids.
        tokenizer: the model's.
        nearness: of phrases to the question's words.
    """
    found = distinct(weighed, [tokenizer.decode(ids).strip() for ids in weighed])
    logprobs = {text: logprob for text, (_, logprob) in found.items()}
    refused = logprobs.pop(REFUSAL, float("-inf"))
    if not logprobs:
        return found[REFUSAL][0] if REFUSAL in found else ()
    least = max(logprobs.values()) - PLAUSIBLE
    near = {text: nearness.of(text) for text, logprob in logprobs.items() if logprob > least}
    times = next(times for share, times in REFUSED_AT if nearness.covered < share)
    if refused > max(logprobs[text] + max(math.log(times), BESIDE * (2 * near[text] - 1)) for text in near):
        return found[REFUSAL][0]
    return found[agreeing({text: logprobs[text] + NEARNESS * near[text] for text in near})][0]
