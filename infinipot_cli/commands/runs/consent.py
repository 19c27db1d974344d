"""Nothing is downloaded unless somebody at a terminal, or `-y`, agrees to it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from infinipot_cli.endings import INTERRUPTED, Interrupted
from infinipot_cli.errors import ModelError, UsageError

_PANEL = "Loading the model"


@dataclass(frozen=True)
class ConsentOptions:
    """Whether a run may ask, and whether anything may be fetched."""

    no_input: Annotated[
        bool, typer.Option("--no-input", help="Never ask anything; fail instead.", rich_help_panel=_PANEL)
    ] = False
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Do not even offer to fetch a model; nothing else needs a network.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    yes: Annotated[
        bool,
        typer.Option("-y", "--yes", help="Fetch a model that is missing without asking.", rich_help_panel=_PANEL),
    ] = False


Yes = Annotated[bool, typer.Option("-y", "--yes", help="Agree beforehand to what would be asked.")]
No = Annotated[bool, typer.Option("--no-input", help="Never ask anything; fail instead.")]

# What the user had said of the network before libraries are told to keep off it.
_WAS_OFFLINE = os.environ.get("HF_HUB_OFFLINE")


def can_ask(*, no_input: bool = False) -> bool:
    """Whether there is somebody to ask: both ends of the conversation are terminals."""
    return not no_input and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def agrees(question: str) -> bool:
    """Ask on standard error; anything but y is a no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    reply = ""
    try:
        reply = sys.stdin.readline()
    finally:
        if not reply.endswith("\n"):  # Ctrl-C and Ctrl-D leave the cursor behind the question
            sys.stderr.write("\n")
    return reply.strip().lower() in ("y", "yes")


def confirm(question: str, *, yes: bool, no_input: bool) -> None:
    """Ask before something is lost.

    Args:
        question: what is about to be done.
        yes: the user agreed beforehand.
        no_input: nothing may be asked.

    Raises:
        UsageError: there is nobody to ask, or the answer is no.
    """
    if yes:
        return
    if not can_ask(no_input=no_input):
        raise UsageError(f"not done without being asked: {question}", hint="--yes agrees to it", code="no_consent")
    if not agrees(question):
        raise UsageError("nothing was deleted", code="no_consent")


def fetched(error: ModelError, name: str, consent: ConsentOptions, *, quiet: bool = False) -> bool:
    """Offer to fetch a model that is missing; true if it is here now.

    The offer is a process of its own, because this one has told its libraries to keep off the network.

    Args:
        error: why the model cannot be used.
        name: what the user called it.
        consent: what the user said about being asked.
        quiet: fetch it without a word.

    Raises:
        ModelError: the user has forbidden the network, or fetching it failed, which has said why.
        Interrupted: it was stopped.
    """
    from infinipot_cli.model.catalog import is_hub_name

    is_missing = error.code == "model_not_found" and is_hub_name(name) and not os.path.exists(name)
    if not is_missing:
        return False
    was_offline = (_WAS_OFFLINE or "").strip().lower() in ("1", "true", "yes", "on")
    if consent.offline or was_offline:
        why = "--offline" if consent.offline else f"HF_HUB_OFFLINE={_WAS_OFFLINE}"
        raise ModelError(
            f"offline ({why}) and {name!r} is not on this machine",
            hint=f"on the network: infinipot models pull {name}; here: -m ./FOLDER, or -m pocket",
            code="offline",
        ) from error
    if not (consent.yes or can_ask(no_input=consent.no_input)):
        return False
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    options = [option for option, is_set in (("--yes", consent.yes), ("--quiet", quiet)) if is_set]
    command = [sys.executable, "-m", "infinipot_cli", "models", "pull", name, *options]
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode == INTERRUPTED:
        raise Interrupted
    if done.returncode:
        raise error
    return True
