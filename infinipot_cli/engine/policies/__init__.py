"""Which entries stay: one method a file. `policies.py` of the package lists them; `make` builds one by its name."""

from dataclasses import fields
from importlib import import_module

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy, Timing, Voters
from infinipot_cli.policies import DEFAULT, POLICIES, Settings, listed

__all__ = ["Evidence", "Numbering", "Policy", "Timing", "Voters", "make", "settings_of"]


def make(name: str = DEFAULT, settings: Settings = ()) -> Policy:
    """A policy by its name.

    Args:
        name: a name of `POLICIES`.
        settings: of its own, where they differ from its defaults.

    Raises:
        UsageError: there is no such policy, or a setting lies outside its bounds.
    """
    module = import_module(f"{__name__}.{name}") if listed(name) else None
    policy: Policy = getattr(module, listed(name).class_name)(**dict(settings))
    return policy


def settings_of(policy: Policy) -> tuple[str, Settings]:
    """The name of a policy, and those of its settings that differ from its defaults: what `make` takes."""
    name = next(name for name, entry in POLICIES.items() if entry.class_name == type(policy).__name__)
    given = ((field.name, getattr(policy, field.name), field.default) for field in fields(policy))
    return name, tuple(sorted((setting, value) for setting, value, usual in given if value != usual))
