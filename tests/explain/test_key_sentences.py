"""Sentences that stand for a text: often come back to, early, looked at; whole, and each once."""

import random
import re
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from watched import watched

from infinipot_cli.engine import Attended
from infinipot_cli.explain.key_sentences import key_sentences
from infinipot_cli.explain.passages import Telling
from infinipot_cli.explain.trail import Trail

PREFIX = 3
NAMES = "harbour lantern keeper winter captain village".split()
DULL = "the wind was in it and so on".split()


def trail_of(*texts: str) -> Trail:
    """A token for every word, with the blank in front of it."""
    trail = Trail(PREFIX)
    for text in texts:
        for _ in watched(trail, text, 64, r"\s*\S+"):
            pass
    return trail


def attended_at(trail: Trail, weights: dict[int, float]) -> Attended:
    """Attention on some tokens, by origin."""
    attended = Attended()
    attended.origins = torch.arange(trail.n_seen).expand(2, 1, -1).clone()
    attended.total = torch.zeros(2, 2, trail.n_seen)
    attended.copied = torch.zeros_like(attended.total)
    for origin, weight in weights.items():
        attended.copied[1, 1, origin] += weight
    attended.n_rows = 1
    return attended


def picked(trail: Trail, most: int, weights: dict[int, float] | None = None, n_seen: int = 10**9) -> list[str]:
    telling = Telling(trail, attended_at(trail, weights or {}), PREFIX, None)
    return [passage.quote for passage in key_sentences(telling, trail, n_seen, most)]


def sentence(rng: random.Random) -> str:
    words = [*rng.sample(NAMES, rng.randint(0, 3)), *rng.choices(DULL, k=rng.randint(4, 9))]
    rng.shuffle(words)
    return " ".join(words) + "."


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_the_best_of_a_slow_count_are_picked_in_their_order(seed: int, most: int) -> None:
    rng = random.Random(seed)
    sentences = [sentence(rng) for _ in range(rng.randint(8, 20))]
    text = " ".join(sentences)
    trail = trail_of(text)
    firsts = [sum(len(one.split()) for one in sentences[:number]) for number in range(len(sentences))]
    chars = [sum(len(one) + 1 for one in sentences[:number]) for number in range(len(sentences))]
    looked_at = {number: rng.random() for number in rng.sample(range(len(sentences)), 3)}
    found = picked(trail, most, {PREFIX + firsts[number] + 1: share for number, share in looked_at.items()})

    distinct = {one: number for number, one in reversed(list(enumerate(sentences)))}
    counts = Counter(word for one in distinct for word in set(re.findall(r"\w{5,}", one)))
    weight = {one: looked_at.get(number, 0.0) for one, number in distinct.items()}
    highest = max(share for one, share in weight.items() if len(one.split()) >= 5) or 1.0

    def worth(one: str) -> tuple[bool, float, float]:
        words = set(re.findall(r"\w{5,}", one))
        often = sum(counts[word] for word in words) / len(words) if words else 0
        looked_at = (1 + weight[one] / highest) / (1 + 4 * chars[distinct[one]] / len(text))
        return len(one.split()) >= 8, often * looked_at, looked_at

    worths = sorted((worth(one) for one in distinct if len(one.split()) >= 5), reverse=True)
    assert len(found) == min(most, len(worths))
    assert sorted((worth(one) for one in found), reverse=True) == worths[: len(found)]
    assert [distinct[one] for one in found] == sorted(distinct[one] for one in found)


def test_what_is_printed_on_every_page_counts_once() -> None:
    page = "Confidential property of the harbour office, never to be copied."
    told = "The keeper of the village lantern was asleep all winter."
    text = "\n\n".join(f"{page}\n\nThe keeper lit the lantern in the village, night {n}. {told}" for n in range(9))
    assert page not in picked(trail_of(text), 1)


def test_of_equal_sentences_the_early_ones_are_picked() -> None:
    sentences = [f"It was a cat on the mat and it {verb}." for verb in "sat ran hid ate won let put did".split()]
    assert picked(trail_of(" ".join(sentences)), 3) == sentences[:3]
    other = "Another harbour was seen by the old man there."
    assert picked(trail_of(" ".join([*sentences, other])), 3) == [*sentences[:2], other]


@pytest.mark.parametrize("n_words", [60, 96, 97, 200, 300])
def test_something_is_picked_of_a_text_without_any_end(n_words: int) -> None:
    assert picked(trail_of("ab " * n_words), 2)


def test_attention_tells_two_apart_that_are_equal_in_words() -> None:
    first, second = (f"Here the {name} stood in the wind for a while." for name in ("captain", "village"))
    text = f"{first} {second} " + "And so it was on and on. " * 30
    trail = trail_of(text)
    assert picked(trail, 1) == [first]
    assert picked(trail, 1, {PREFIX + len(first.split()) + 2: 1.0}) == [second]


def test_nothing_is_picked_that_was_not_read_and_each_document_begins_anew() -> None:
    early, late = "The keeper of the lantern slept that night.", "The captain of the village stood up at last."
    text = f"{early} {late}"
    trail = trail_of(text, text.replace("captain", "warden"))
    n_early = len(early.split())
    assert picked(trail, 9, n_seen=PREFIX + n_early) == [early]
    assert picked(trail, 9, n_seen=PREFIX + n_early - 1) == []
    assert picked(trail, 9) == [early, late, late.replace("captain", "warden")], "what both say comes once"


def test_writing_without_blanks_is_measured_by_pairs_of_characters() -> None:
    told, other = "灯塔的守护者每天晚上都在灯塔里面睡觉。", "风从西边吹来了很久很久很久也没有停下来。"
    text = f"{other}{told}灯塔的守护者每天起床。每天晚上都在灯塔里面。守护者每天在里面睡觉。" + "后来船都走了。" * 40
    trail = Trail(PREFIX)
    for _ in watched(trail, text, 64, "."):
        pass
    telling = Telling(trail, attended_at(trail, {}), PREFIX, None)
    assert [passage.quote for passage in key_sentences(telling, trail, 10**9, 1)] == [told]
