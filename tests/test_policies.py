"""The list of policies against their code, and what a command line can get wrong about them."""

import dataclasses

import pytest

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine.policies import make, settings_of
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import POLICIES, POLICY_NAMES, distills, label, parse_settings
from infinipot_cli.settings import PotRequest


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_list_and_code_agree(name: str) -> None:
    """What is answered before torch is imported is what the code does."""
    listed, policy = POLICIES[name], make(name)
    assert type(policy).__name__ == listed.class_name
    assert {field.name: field.default for field in dataclasses.fields(policy)} == dict(listed.settings)
    assert (policy.timing.name == "WHEN_FULL") == distills(name, ())
    assert policy.is_bounded == listed.is_bounded
    assert (policy.voters.name == "CATALYST") == listed.has_catalyst
    assert all(f"{setting}:" in (type(policy).__doc__ or "") for setting in listed.settings)
    if listed.official_steps:
        assert make(name, (("official", True),)).timing.name == "EVERY_TOKEN"
        assert not distills(name, (("official", True),))


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_a_policy_is_made_again_from_its_settings(name: str) -> None:
    changed = tuple(
        (setting, not value if isinstance(value, bool) else value * 2 + 1)
        for setting, value in sorted(POLICIES[name].settings.items())
    )
    for settings in ((), changed):
        assert settings_of(make(name, settings)) == (name, settings)
        words = [f"{setting}={value}" for setting, value in settings]
        assert parse_settings(name, words) == (PAPER, settings)


def test_a_label_says_what_differs() -> None:
    assert label("tova", ()) == label("tova", (("official", False),)) == "tova"
    assert label("tova", (("official", True),)) == "tova official=on"
    assert label("random", (("seed", 3),)) == "random seed=3"
    assert label("random", (("seed", 10**9 + 1),)) == "random seed=1000000001", "which --set takes"


@pytest.mark.parametrize(
    ("policy", "words", "reason", "hint"),
    [
        ("tovaa", [], "no policy 'tovaa'", "did you mean tova?"),
        ("tova", ["decay=0.5"], "decay means nothing to the policy tova", "official"),
        ("tova", ["official", "pool=3"], "knows no pool", ""),
        ("tova", ["ofical"], "knows no setting 'ofical'", "did you mean official?"),
        ("random", ["seed=x"], "seed wants a whole number", ""),
    ],
)
def test_settings_that_make_no_sense_are_answered(policy: str, words: list[str], reason: str, hint: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parse_settings(policy, words)
    assert hint in caught.value.hint


def test_wishes_that_a_policy_cannot_meet_are_refused() -> None:
    with pytest.raises(UsageError, match="tova has no share"):
        PotRequest(policy="tova", novelty_ratio=0.25)
    with pytest.raises(UsageError, match="decay means nothing"):
        PotRequest(policy="tova", choice=Choice(decay=0.5))
    with pytest.raises(UsageError, match="which the policy full never does"):
        PotRequest(policy="full", memory=10**9)
    assert PotRequest(policy="tova", memory=10**9).memory == 10**9
    assert PotRequest(policy="sirllm", choice=Choice(decay=0.5)).policy == "sirllm"


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_only_distilling_policies_can_be_stored_pinned_or_talked_to(name: str) -> None:
    request = PotRequest(policy=name)
    if distills(name, ()):
        request.check_distilling("a stored pot")
        assert PotRequest(policy=name, budget=10).budget == 10
    else:
        with pytest.raises(UsageError, match=f"a stored pot needs .* policy {name} never"):
            request.check_distilling("a stored pot")
        with pytest.raises(UsageError, match=f"policy {name} has no budget"):
            PotRequest(policy=name, budget=10)
