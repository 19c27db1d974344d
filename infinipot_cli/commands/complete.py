"""Values that a shell completes: models, templates, policies, pots. It runs at each press of the key: nothing heavy."""

from typer import Context

from infinipot_cli.config import Config, load_config
from infinipot_cli.errors import InfinipotError
from infinipot_cli.policies import DEFAULT, POLICIES, POLICY_NAMES
from infinipot_cli.settings import DEFAULT_MODEL, DTYPES, Dtype
from infinipot_cli.templates import CATALYSTS, template_names


def commands(ctx: Context, incomplete: str) -> list[str]:
    """Names of commands, and of those inside a group behind its own; `manual` is what `help` takes beside them."""
    from infinipot_cli.commands.late import named

    typed = [*(ctx.params.get("words") or ())]
    return _starting(incomplete, [*named(ctx.find_root().command, typed), *([] if typed else ["manual"])])


def models(incomplete: str) -> list[str]:
    """Names that `-m` takes, folders aside."""
    from infinipot_cli.model.inventory import cached_names

    return _starting(incomplete, [DEFAULT_MODEL, *_config().aliases, *cached_names()])


def templates(incomplete: str) -> list[str]:
    """Names that `-t` takes."""
    return _starting(incomplete, [*template_names(), *_config().templates])


def policies(incomplete: str) -> list[str]:
    """Names that `--policy` takes."""
    return _starting(incomplete, [*POLICY_NAMES])


def catalysts(incomplete: str) -> list[str]:
    """Names that `--catalyst` takes."""
    return _starting(incomplete, [*CATALYSTS])


def types(incomplete: str) -> list[str]:
    """Names that `--type` takes."""
    from infinipot_cli.documents.wishes import TYPES

    return _starting(incomplete, [*TYPES])


def dtypes(incomplete: str) -> list[str]:
    """Names that `--dtype` takes."""
    return _starting(incomplete, [*Dtype, *DTYPES])


def pots(incomplete: str) -> list[str]:
    """Names of stored pots, with their `@` where one was typed."""
    from infinipot_cli.pots.shelf import LAST, cached, names

    mark = "@" if incomplete.startswith("@") else ""
    return _starting(incomplete, [mark + name for name in [*names(), *([LAST] if cached() else [])]])


def sources(incomplete: str) -> list[str]:
    """Stored pots behind an `@`; files are the shell's to complete."""
    return pots(incomplete) if incomplete.startswith("@") else []


def choices(ctx: Context, incomplete: str) -> list[str]:
    """What `--set` takes under the policy that was typed, each up to its value."""
    policy = ctx.params.get("policy") or DEFAULT
    known = POLICIES.get(policy)
    return _starting(incomplete, [f"{name}=" for name in sorted(known.choices | {*known.settings})] if known else [])


def _config() -> Config:
    try:
        return load_config()
    except InfinipotError:  # a broken file is for the command itself to report
        return Config()


def _starting(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
