"""Values that a shell completes: models, templates, policies. It runs at every press of the key: nothing heavy."""

from infinipot_cli.config import Config, load_config
from infinipot_cli.errors import InfinipotError
from infinipot_cli.policies import DEFAULT, POLICIES, POLICY_NAMES
from infinipot_cli.settings import DEFAULT_MODEL
from infinipot_cli.templates import CATALYSTS, template_names


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


def choices(incomplete: str) -> list[str]:
    """Settings that `--set` takes under the policy that is nearly always meant."""
    here = POLICIES[DEFAULT]
    return _starting(incomplete, [f"{name}=" for name in sorted({*here.settings, *here.choices})])


def catalysts(incomplete: str) -> list[str]:
    """Names that `--catalyst` takes."""
    return _starting(incomplete, [*CATALYSTS])


def pots(incomplete: str) -> list[str]:
    """Names of stored pots, with their `@` where one was typed."""
    from infinipot_cli.pots.shelf import LAST, cached, names

    mark = "@" if incomplete.startswith("@") else ""
    return _starting(incomplete, [mark + name for name in [*names(), *([LAST] if cached() else [])]])


def _config() -> Config:
    try:
        return load_config()
    except InfinipotError:  # a broken file is for the command itself to report
        return Config()


def _starting(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
