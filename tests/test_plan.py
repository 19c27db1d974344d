import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.choice import Choice
from infinipot_cli.errors import PotSizeError
from infinipot_cli.plan import Judges, Plan, Prompt, Task, make_plan, make_prompt
from infinipot_cli.policies import POLICY_NAMES
from infinipot_cli.settings import SMALLEST_POT, PotRequest


class Letters:
    """A tokenizer of one token a character; control tokens are those of templates."""

    control_ids = frozenset({0})
    special_ids = frozenset({0})
    vocabulary_size = 1 << 21

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def encode_template(self, text: str) -> list[int]:
        return [0 if letter == "|" else ord(letter) for letter in text]


def prompt(n_prefix: int, n_catalyst: int, n_suffix: int) -> Prompt:
    return Prompt((1,) * n_prefix, (2,) * n_catalyst, (3,) * n_suffix)


def plan_for(wanted: Prompt, request: PotRequest, context_length: int | None = 1024, capacity: int = 1024) -> Plan:
    return make_plan(wanted, request, model="tiny", context_length=context_length, capacity=capacity, max_tokens=64)


def test_the_catalyst_ends_as_the_suffix_does() -> None:
    task = Task("ask", "catalyst-question", question="Who|?", max_tokens=64)
    made = make_prompt(task, Letters(), opening="|user:", closing="|bot:")  # type: ignore[arg-type]
    assert made.prefix_ids == (0, *map(ord, "user:"))
    assert made.suffix_ids[-5:] == made.catalyst_ids[-5:] == (0, *map(ord, "bot:"))
    assert ord("|") in made.suffix_ids, "a control token in the question stays text"
    assert made.suffix_ids.count(0) == 1


@given(
    n_prefix=st.integers(0, 40),
    n_catalyst=st.integers(1, 200),
    n_suffix=st.integers(1, 200),
    capacity=st.none() | st.integers(SMALLEST_POT, 1024),
    budget=st.none() | st.integers(1, 1023),
    max_tokens=st.none() | st.integers(1, 400),
)
def test_every_plan_that_is_made_fits_its_pot(
    n_prefix: int, n_catalyst: int, n_suffix: int, capacity: int | None, budget: int | None, max_tokens: int | None
) -> None:
    try:
        request = PotRequest(capacity=capacity, budget=budget, max_tokens=max_tokens)
        plan = plan_for(prompt(n_prefix, n_catalyst, n_suffix), request)
    except PotSizeError:
        return
    assert plan.capacity == (capacity or 1024)
    assert n_prefix < plan.budget < plan.capacity
    assert plan.budget + n_catalyst < plan.capacity, "no room to read on beside what was kept"
    if plan.budget + n_suffix + plan.max_tokens > plan.capacity:  # then it is distilled while it is written
        assert max_tokens is not None
        assert plan.budget + n_suffix + n_catalyst <= plan.capacity
        assert plan.budget >= n_prefix + n_suffix + 2
    assert plan.budget == (budget or plan.budget)
    assert plan.max_tokens == (max_tokens or plan.max_tokens)


def test_half_the_pot_is_kept_by_default() -> None:
    plan = plan_for(prompt(2, 20, 20), PotRequest())
    assert (plan.capacity, plan.budget, plan.max_tokens) == (1024, 512, 64)


def test_a_default_pot_is_cut_to_the_trained_context() -> None:
    assert plan_for(prompt(2, 20, 20), PotRequest(), context_length=300, capacity=4096).capacity == 300
    assert plan_for(prompt(2, 20, 20), PotRequest(), context_length=None, capacity=4096).capacity == 4096


def test_a_pot_beyond_the_trained_context_is_refused_with_the_most_that_works() -> None:
    with pytest.raises(PotSizeError, match="1025") as caught:
        plan_for(prompt(2, 20, 20), PotRequest(capacity=1025))
    assert "-s 1024" in caught.value.hint


def test_a_question_that_fills_the_pot_is_named_as_the_cause() -> None:
    with pytest.raises(PotSizeError, match="the question takes 1000 tokens") as caught:
        plan_for(prompt(2, 1000, 1000), PotRequest())
    assert caught.value.code == "question_too_long"


def test_the_most_that_a_budget_may_be_works() -> None:
    with pytest.raises(PotSizeError) as caught:
        plan_for(prompt(2, 20, 20), PotRequest(capacity=256, budget=250))
    most = int(caught.value.hint.split()[1])
    assert plan_for(prompt(2, 20, 20), PotRequest(capacity=256, budget=most)).budget == most


@pytest.mark.parametrize("budget", [None, 300, 450])
def test_a_longer_answer_is_never_refused_where_a_shorter_and_a_longer_one_are_not(budget: int | None) -> None:
    def is_made(max_tokens: int) -> bool:
        try:
            plan_for(prompt(3, 20, 35), PotRequest(capacity=700, budget=budget, max_tokens=max_tokens))
        except PotSizeError:
            return False
        return True

    assert all(is_made(max_tokens) for max_tokens in range(1, 1500, 7))


GENERAL, QUESTION = "catalyst-general", "catalyst-question"


@pytest.mark.parametrize(
    ("before", "catalyst", "n_cycles", "after"),
    [
        (Judges("", ()), QUESTION, 0, Judges(QUESTION, ("Who?",), 0)),
        (Judges(QUESTION, ("Where?",), 0), GENERAL, 2, Judges(GENERAL, ("Who?",), 2)),  # it had distilled nothing
        (Judges(QUESTION, ("Where?",), 1), GENERAL, 2, Judges(QUESTION, ("Where?",), 2)),
        (Judges(QUESTION, ("Where?",), 1), "my.md", 2, Judges(QUESTION, ("Where?", "Who?"), 2)),
        (Judges(QUESTION, ("Where?",), 1), QUESTION, 2, Judges(QUESTION, ("Where?", "Who?"), 2)),
        (Judges(QUESTION, ("Where?",), 1), QUESTION, 1, Judges(QUESTION, ("Where?",), 1)),  # asked, but read no further
        (Judges("my.md", ("Where?",), 1), GENERAL, 2, Judges("my.md", ("Where?", "Who?"), 2)),
        (Judges(GENERAL, ("Where?",), 1), QUESTION, 2, Judges(QUESTION, ("Who?",), 2)),
        (Judges(GENERAL, (), 1), QUESTION, 1, Judges(GENERAL, ("Who?",), 1)),
    ],
)
def test_what_a_question_has_distilled_stays_distilled_for_it(
    before: Judges, catalyst: str, n_cycles: int, after: Judges
) -> None:
    assert before.and_then(Task("ask", catalyst, question="Who?", max_tokens=8), n_cycles) == after
    assert after.and_then(Task("ask", catalyst, question="Who?", max_tokens=8), n_cycles) == after, "stored once more"


@given(
    sinks=st.integers(0, 300),
    recent=st.integers(0, 300),
    budget=st.none() | st.integers(3, 250),
    max_tokens=st.none() | st.integers(1, 400),
)
def test_what_shall_always_stay_leaves_places_in_the_budget(
    sinks: int, recent: int, budget: int | None, max_tokens: int | None
) -> None:
    def planned(budget: int | None) -> Plan | PotSizeError:
        choice = Choice(sinks=sinks, recent=recent)
        request = PotRequest(capacity=256, budget=budget, max_tokens=max_tokens, choice=choice)
        try:
            return plan_for(prompt(2, 20, 20), request)
        except PotSizeError as error:
            return error

    plan = planned(budget)
    if isinstance(plan, Plan):
        assert plan.budget > 2 + sinks + recent
    elif plan.message.startswith("--keep-"):
        assert ("--keep-first" in plan.message, "--keep-last" in plan.message) == (sinks > 0, recent > 0)
        hinted = re.match(r"--budget (\d+)", plan.hint)
        assert hinted is None or isinstance(planned(int(hinted[1])), Plan)


def test_more_than_the_pot_holds_cannot_always_stay() -> None:
    with pytest.raises(PotSizeError, match="--keep-first 2000 and 2 tokens of the prompt") as caught:
        plan_for(prompt(2, 20, 20), PotRequest(choice=Choice(sinks=2000)))
    assert caught.value.hint == "keep less, or take a larger pot with -s"


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_only_a_pot_that_must_hold_the_answer_limits_it(name: str) -> None:
    request = PotRequest(capacity=300, max_tokens=1500, policy=name)
    if name == "truncation":
        with pytest.raises(PotSizeError, match="1500 for the answer"):
            plan_for(prompt(2, 20, 20), request)
    else:
        assert plan_for(prompt(2, 20, 20), request).max_tokens == 1500
