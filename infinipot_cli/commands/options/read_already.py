"""Options that come too late for a stored pot, since its text was read: they are refused by name, never ignored.

Only what was typed is refused, here with 2; another model, number format, policy or system prompt makes the pot one of
another kind, which is found where it is opened, with 6. What the settings or the environment say is for the next
reading, and gives way to what the pot was read with.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from infinipot_cli.choice import AT_THE_QUESTION, PAPER
from infinipot_cli.commands.options.common import is_typed
from infinipot_cli.commands.options.pots import split_pot
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import DEFAULT, POLICIES, has_catalyst, label, parse_settings, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infinipot_cli.pots.header import Header

# Parameters of the commands, and what their options do to documents that are still to be read.
_CHOOSES, _KEEPS, _READS = "chooses what is read", "keeps what is being read", "says how documents are read"
_OF_DOCUMENTS = {
    "pages": _CHOOSES, "lines": _CHOOSES, "ext": _CHOOSES, "ignore": _CHOOSES, "hidden": _CHOOSES,
    "no_ignore": _CHOOSES, "pin": _KEEPS, "pin_pages": _KEEPS,
    "encoding": _READS, "type_": _READS, "password_file": _READS,
}  # fmt: skip


def check_still_holds(
    ctx: typer.Context, words: "Sequence[str]", *, looks_again: bool = False, is_stored: bool = False
) -> None:
    """Refuse what was typed for a stored pot and cannot hold any more, unless the pot was read with just that.

    Args:
        ctx: of the command.
        words: the sources, a stored pot first; without one everything holds.
        looks_again: whether documents that the pot has read may be opened once more, as `--verify` does.
        is_stored: whether the pot is stored again, under a name.

    Raises:
        UsageError: with the option that cannot hold.
        PotError: there is no such pot, or its header is damaged.
    """
    if not any(word.startswith("@") for word in words):  # the usual case needs none of what follows
        return
    pot, documents = split_pot(words)
    if pot is None:
        return
    from infinipot_cli.resume import header_of

    header = header_of(pot)
    typed = {name: value for name, value in ctx.params.items() if is_typed(ctx, name)}
    if not documents:
        _check_documents(typed, pot, looks_again=looks_again)
    if typed.get("rebuild"):
        raise _already("--rebuild", "reads documents again", pot)
    if "entries" in typed and not is_stored and typed["entries"] != header.entries:
        raise UsageError(
            f"pot {pot} is stored already, with --pot-entries {header.entries}",
            hint=f"--save-pot NAME stores it with --pot-entries {typed['entries']}",
        )
    _check_catalyst(typed, header)
    for option, was, wanted in _settings(typed, header):
        if was != wanted:
            gap = "=" if " " in option else " "
            raise UsageError(
                f"pot {pot} was read with {option}{gap}{_told(was)}; {option}{gap}{_told(wanted)} would need another"
                " reading",
                hint=f"leave {option} out",
            )


def _check_documents(typed: Mapping[str, Any], pot: str, *, looks_again: bool) -> None:
    """Refuse what is about documents where none is read."""
    for name, does in _OF_DOCUMENTS.items():
        if name in typed and not (looks_again and does is _READS):
            raise _already(_option(name), does, pot)


def check_goes_on(ctx: typer.Context) -> None:
    """Refuse what was typed about documents whose rest is read as they were begun.

    Raises:
        UsageError: with the option that would be ignored.
    """
    for name, does in _OF_DOCUMENTS.items():
        if is_typed(ctx, name):
            option = _option(name)
            problem = f"{option} {does}, and --resume goes on as the reading was begun"
            raise UsageError(problem, hint=f"leave {option} out")
    if is_typed(ctx, "each") and ctx.params["each"]:
        problem = "--each reads every source by itself, and --resume goes on with one pot"
        raise UsageError(problem, hint="leave --each out")


def _option(parameter: str) -> str:
    return f"--{parameter.rstrip('_').replace('_', '-')}"


def _already(option: str, does: str, pot: str) -> UsageError:
    return UsageError(
        f"{option} {does}, and pot {pot} was read already",
        hint=f"leave {option} out, or name the document instead of the pot",
    )


def _check_catalyst(typed: Mapping[str, Any], header: "Header") -> None:
    """Refuse a catalyst to which the policy of the pot does not listen."""
    policy, own = _policy(header)
    if "catalyst" in typed and policy in POLICIES and not has_catalyst(policy, tuple(own.items())):
        heard = label(policy, tuple(own.items()))
        raise UsageError(f"the policy {heard} listens to no catalyst", hint="leave --catalyst out")


def _settings(typed: Mapping[str, Any], header: "Header") -> "Iterator[tuple[str, object, object]]":
    """What was typed of how a pot is read: each option, what the pot was read with, and what is wanted."""
    held = header.numbers["choice"]
    if "novelty" in typed:
        yield "--novelty", header.numbers["novelty_ratio"], typed["novelty"]
    for name, setting in (("keep_first", "sinks"), ("keep_last", "recent")):
        if name in typed:
            yield f"--{name.replace('_', '-')}", held.get(setting, getattr(PAPER, setting)), typed[name]
    policy, own = _policy(header)
    if "choices" in typed and policy in POLICIES and typed.get("policy", policy) == policy:
        choice, wished = parse_settings(policy, typed["choices"])
        names = [word.partition("=")[0].strip().replace("-", "_") for word in typed["choices"]]
        for name in names:
            if name in POLICIES[policy].settings:
                yield f"--set {name}", own.get(name, POLICIES[policy].settings[name]), dict(wished)[name]
            elif name not in AT_THE_QUESTION:
                yield f"--set {name}", held.get(name, getattr(PAPER, name)), getattr(choice, name)


def _policy(header: "Header") -> tuple[str, dict[str, Any]]:
    """Under which policy a pot was read, and how that was set."""
    return header.numbers.get("policy", DEFAULT), header.numbers.get("policy_settings", {})


def _told(value: object) -> str:
    return shown(value) if isinstance(value, bool | int | float) else str(value)
