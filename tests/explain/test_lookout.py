"""The passage that matches a question best: found wherever it stands, and named only if the pot has lost it."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from watched import watched

from infinipot_cli.explain.lookout import MOST_ALIKE, MOST_GROUPS, Lookout, Match, _within
from infinipot_cli.explain.overlooked import is_among, overlooked
from infinipot_cli.explain.trail import BLOCK_TOKENS, Trail

PREFIX = 3
FACT = "Maren Holt was appointed lighthouse keeper of Skerry in 1873."
QUESTION = "When was Maren Holt's appointment as lighthouse keeper of Skerry?"
DULL = "the wind was in the west and the sea was high all night as it was in the year before".split()


def prose(n_words: int, seed: int) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(DULL) + ("." if rng.random() < 0.1 else "") for _ in range(n_words))


def read(text: str, question: str, n_together: int = 100, *, token: str = r"\s*\S+") -> tuple[Trail, Lookout]:
    """A token for every word, with the blank in front of it, unless another pattern is given."""
    trail, lookout = Trail(PREFIX), Lookout(question)
    for blocks in watched(trail, text, n_together, token):
        lookout.see(blocks)
    return trail, lookout


@pytest.mark.parametrize("n_together", [3, 100])
@pytest.mark.parametrize("before", range(62, 67))
def test_the_end_of_a_longer_word_is_no_word_of_the_question(before: int, n_together: int) -> None:
    """Blocks of 64 characters may begin within a word."""
    _, lookout = read("a" * before + "keeper" + " dull" * 30, "keeper?", n_together, token=".")
    assert lookout.to_reread(1000) == []
    _, lookout = read("a" * (before - 1) + " keeper" + " dull" * 30, "keeper?", n_together, token=".")
    assert len(lookout.to_reread(1000)) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(300, 500), st.integers(300, 500), st.integers(0, 99), st.sampled_from([5, 65, 67, 100]))
def test_a_planted_fact_is_found_across_any_edge_of_a_block(
    before: int, behind: int, seed: int, n_together: int
) -> None:
    text = f"{prose(before, seed)}.\n{FACT} {prose(behind, seed + 1)}"
    trail, lookout = read(text, QUESTION, n_together)
    (match,) = lookout.best(trail.n_seen)
    found = text[slice(*match.char)]
    assert found == FACT
    assert match.line == 2
    first = len(text[: match.char[0]].split())
    assert match.origins[0] == PREFIX + first
    assert match.origins[1] - match.origins[0] == len(found.split())
    assert lookout.best(match.origins[0]) == []


@pytest.mark.parametrize("n_together", [5, 64, 100])
@pytest.mark.parametrize("before", range(60, 131, 7))
def test_a_sentence_goes_on_behind_a_block_that_ends_in_a_blank(before: int, n_together: int) -> None:
    fact = "Maren Holt was made keeper of Skerry in 1873, after the sea rose."
    text = "x" * (before - 2) + ". " + fact + " Wind blew in from there." * 9
    _, lookout = read(text, "When was Maren Holt made keeper of Skerry?", n_together, token=r"(?s).")
    ((start, end), *_) = lookout.to_reread(1000)
    assert text[start - PREFIX : end - PREFIX].strip() == fact


@pytest.mark.parametrize(
    "text",
    [
        prose(600, 1),
        prose(300, 1) + " Holt. " + prose(300, 2),
        (FACT + " " + prose(200, 3) + " ") * (MOST_ALIKE + 1),
    ],
    ids=["nothing", "one word of many", "too much"],
)
def test_nothing_is_found_where_no_place_is_better_than_others(text: str) -> None:
    trail, lookout = read(text, QUESTION)
    assert lookout.best(trail.n_seen) == []


@pytest.mark.parametrize("question", ["", "???", "was it the sea and the wind?"])
def test_questions_of_no_rare_words_look_for_nothing(question: str) -> None:
    trail, lookout = read(prose(500, 4) + FACT, question)
    assert lookout.best(trail.n_seen) == []


def test_memory_does_not_grow_with_what_is_read() -> None:
    words = [letter * 3 for letter in "abcdefghijklmnop"]
    rng = random.Random(0)
    text = "".join(" ".join(rng.sample(words, 8)) + ". " + "Dull it was. " * 3 for _ in range(3000))
    trail, lookout = Trail(0), Lookout(" ".join(words))
    for blocks in watched(trail, text, BLOCK_TOKENS, r"\s*\S+"):
        lookout.see(blocks)
        assert len(lookout._groups) <= MOST_GROUPS
        assert len(lookout._stretches._blocks) <= 2
    assert len(lookout._groups) > MOST_GROUPS // 2
    assert all(len(group.matches) <= MOST_ALIKE for group in lookout._groups.values())


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 40)).map(lambda pair: (pair[0], sum(pair))), max_size=12),
)
def test_passages_fill_the_room_that_there_is_the_best_first(most: int, spans: list[tuple[int, int]]) -> None:
    """A slow oracle: each is taken whose tokens, with those of what was taken before it, find room."""
    taken: set[int] = set()
    for start, end in spans:
        if len(taken | set(range(start, end))) <= most:
            taken |= set(range(start, end))
    chosen = _within(most, spans)
    assert sorted(token for start, end in chosen for token in range(start, end)) == sorted(taken), "and no token twice"


def test_what_is_said_again_word_for_word_takes_no_place_of_another_sentence() -> None:
    again, fact = "He had the key and the pass. ", "The key of the pass is 71432. "
    text = "".join(f"{prose(60, seed)}. {again}" for seed in range(3 * MOST_ALIKE)) + f"{prose(60, 99)}. {fact}"
    _, lookout = read(text + f"{prose(60, 98)}.", "What is the pass key?")
    found = [" ".join(text.split()[start - PREFIX : end - PREFIX]) for start, end in lookout.to_reread(60)]
    assert fact.strip() in found


def test_own_words_go_before_those_of_neighbours_and_these_before_none() -> None:
    near, own, alone = "It was built in 1873. ", "The keeper lived in Skerry. ", "The keeper was away. "
    text = f"{prose(200, 1)}. {alone}{prose(200, 2)}. {near}{own}{prose(200, 3)}. Skerry. {prose(200, 4)}"
    _, lookout = read(text, "When was the house of the keeper in Skerry built?")
    found = [" ".join(text.split()[start - PREFIX : end - PREFIX]) for start, end in lookout.to_reread(60)]
    assert found[:2] == [own.strip(), near.strip()], "of two words, the rarer one that stands beside them"
    assert alone.strip() not in found, "one word, and none beside it"


@pytest.mark.parametrize(
    ("question", "unheard"),
    [
        ("When did the dragon attack Lisbon?", ("dragon", "attack", "Lisbon")),
        ("When did the dragon attack Skerry?", ()),
        ("Who was the dragon?", ()),
        ("Why?", ()),
        ("When did the dragon's tail burn?", ("dragon", "tail", "burn")),
        ("When " + " ".join(f"dragon{number}" for number in range(30)) + " Skerry?", ()),
    ],
)
def test_a_question_of_which_no_word_stands_there_is_told(question: str, unheard: tuple[str, ...]) -> None:
    text = f"{prose(100, 1)}. {FACT}"
    trail, lookout = read(text, question)
    assert lookout.unheard(len(text)) == unheard
    assert lookout.unheard(len(text) + 1) == (), "what was not seen may hold them"
    later = Lookout(question)
    later.recalled = lookout.found(trail.n_seen)
    assert later.unheard(len(text)) == unheard


@pytest.mark.parametrize("written", ["light-\nhouse", "light-house", "lighthouse"])
def test_a_word_is_found_that_the_end_of_a_line_has_broken(written: str) -> None:
    fact = f"Maren kept the {written} at night."
    text = f"{prose(200, 1)}. {fact} {prose(200, 2)}"
    _, lookout = read(text, "Who looked after the lighthouse?")
    ((start, end), *_) = lookout.to_reread(60)
    assert " ".join(text.split()[start - PREFIX : end - PREFIX]) == " ".join(fact.split())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_only_what_matches_about_as_well_as_the_best_is_close(seed: int, close: float) -> None:
    rng = random.Random(seed)
    words = "Maren Holt made lighthouse keeper of Skerry".split()
    sentences = [" ".join(rng.sample(words, rng.randint(1, 5))) for _ in range(20)]
    trail, lookout = read(". ".join(sentences) + ".", " ".join(words) + "?")
    passages = lookout.found(trail.n_seen).passages
    shares = [share for _, _, share in passages]
    assert shares[0] == 1 and shares == sorted(shares, reverse=True) and min(shares) > 0
    near = sorted(passage[:2] for passage in passages if passage[2] >= close)
    assert sorted(lookout.to_reread(1000, close)) == near
    assert lookout.to_reread(1000, 0.0) == lookout.to_reread(1000)


@pytest.mark.parametrize("text", [FACT, FACT.rstrip("."), "Skerry"])
def test_a_document_of_one_sentence_is_found(text: str) -> None:
    trail, lookout = read(text, QUESTION)
    assert lookout.to_reread(1000, 0.8) == [(PREFIX, trail.n_seen)]
    assert len(lookout.found(trail.n_seen).passages) == 1


def test_one_word_is_enough_where_no_two_stand_together() -> None:
    text = f"{prose(200, 1)}. The ashes are in Belgrade. {prose(200, 2)}. Now they sailed. {prose(200, 3)}"
    _, lookout = read(text, "Where are the ashes now?")
    first = lookout.to_reread(5)[0]
    assert " ".join(text.split()[first[0] - PREFIX : first[1] - PREFIX]) == "The ashes are in Belgrade."


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 400))
def test_what_was_found_is_recalled_as_it_would_be_found(seed: int, most: int) -> None:
    rng = random.Random(seed)
    words = "Maren Holt made lighthouse keeper of Skerry".split()
    dull = [rng.choices(DULL, k=rng.randint(0, 30)) for _ in range(40)]
    sentences = [" ".join([*rng.sample(words, rng.randint(1, 5)), *others]) for others in dull]
    trail, lookout = read(". ".join(sentences) + ".", " ".join(words) + "?", rng.choice([5, 100]))
    later = Lookout(" ".join(words) + "?")
    later.recalled = lookout.found(trail.n_seen)
    assert later.to_reread(most) == lookout.to_reread(most)
    assert later.to_reread(most, 0.7) == lookout.to_reread(most, 0.7)
    assert later.best(trail.n_seen) == lookout.best(trail.n_seen)
    assert later.found(trail.n_seen) == lookout.found(trail.n_seen)


def test_common_words_tell_passages_apart_that_hold_the_same_rare_ones() -> None:
    rare = "The keeper of Skerry slept. "
    better = "Once the keeper of Skerry, at night, was asleep in the house. "
    text = prose(400, 7) + ". " + rare + prose(200, 8) + ". " + better + "Night house. " * 200 + prose(200, 9)
    questions = {better: "Was the keeper of Skerry in the house?", rare: "Slept the keeper of Skerry?"}
    for first, question in questions.items():
        _, lookout = read(text, question)
        start, end = lookout.to_reread(60)[0]
        assert first.strip() in " ".join(text.split()[start - PREFIX : end - PREFIX])


def test_only_what_is_mostly_lost_is_named() -> None:
    trail, lookout = read(f"{prose(200, 5)}.\n{FACT} {prose(200, 6)}", QUESTION)
    (match,) = lookout.best(trail.n_seen)
    first, end = match.origins
    n = end - first
    pot = torch.full((2, 2, 40), end + 5)
    assert overlooked([match], trail.documents, pot) is not None
    pot[0, 0, :n] = torch.arange(first, end)  # one of four heads holds all of it
    assert overlooked([match], trail.documents, pot) is None
    lost = overlooked([match], trail.documents, pot, threshold=0.26)
    assert lost is not None
    assert (lost.kept, lost.path, lost.page, lost.line) == (0.25, "book.txt", None, 2)
    assert is_among(lost, [lost])
    elsewhere = Match(0, (0, match.char[0]), (3, first), 1, "", 1)
    beside = overlooked([elsewhere], trail.documents, torch.zeros(1, 1, 1))
    assert beside is not None and not is_among(lost, [beside])
    held_elsewhere = torch.arange(3, first).expand(1, 1, -1)
    assert overlooked([match, elsewhere], trail.documents, held_elsewhere) is None, "one of the best is there"
