"""The program's first step: signals are dealt with before anything else is imported."""

import contextlib
import os
import signal
import sys
from types import FrameType

from infinipot_cli.endings import Interrupted, Terminated, held_back


def _terminate(signal_number: int, _: FrameType | None) -> None:
    raise Terminated(signal_number)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise Interrupted


def _handle_signals() -> None:
    """Take over signals, but not those that whoever started us wants ignored (nohup, background jobs)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)


def _leave_colour_out_of_pipes() -> None:
    """Typer colours help in a pipe too where CI is at work; as elsewhere, only FORCE_COLOR may want that."""
    is_forced = os.environ.get("FORCE_COLOR", "") not in ("", "0") and not os.environ.get("NO_COLOR")
    if not is_forced and (sys.stdout is None or not sys.stdout.isatty()):
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"


def _measure_columns() -> None:
    """Where COLUMNS is no width, as the zero of some tools, let the terminal say its own."""
    with contextlib.suppress(KeyError, ValueError):
        if int(os.environ["COLUMNS"]) <= 0:
            del os.environ["COLUMNS"]


def _join_marks() -> None:
    """Complete `@name` as one word: bash breaks words at an @, but puts what it is told in the place of both parts."""
    if os.environ.get("_INFINIPOT_COMPLETE") != "complete_bash":
        return
    current = int(os.environ["COMP_CWORD"])
    joined, n_joined = [""], 0
    for number, word in enumerate(os.environ["COMP_WORDS"].split("\n")):
        if joined[-1] == "@" and word not in ("", "@"):
            joined[-1] += word
            n_joined += number <= current
        else:
            joined.append(word)
    os.environ |= {"COMP_WORDS": "\n".join(joined[1:]), "COMP_CWORD": str(current - n_joined)}


def _is_version() -> bool:
    """Print the version where nothing else is asked for: building the command line would take ten times as long."""
    if sys.argv[1:] not in (["--version"], ["-V"]) or sys.stdout is None:
        return False
    from infinipot_cli import __version__

    try:
        sys.stdout.write(f"infinipot {__version__}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it fails once more
        sys.exit(141)
    except OSError:  # a full disk: whoever can word it does so
        return False
    return True


def main() -> None:
    """Run the command line; Ctrl-C and SIGTERM end it without a traceback at every moment, imports included."""
    try:
        _handle_signals()
        if _is_version():
            return
        _leave_colour_out_of_pipes()
        _measure_columns()
        _join_marks()
        from infinipot_cli.startup.quick_imports import own_process, without_collecting

        with held_back(), without_collecting():
            from infinipot_cli.app import app
        own_process()
        app(prog_name="infinipot")
    except (KeyboardInterrupt, Terminated) as end:
        sys.exit(_stopped_early(end))


def _stopped_early(end: KeyboardInterrupt | Terminated) -> int:
    """Say what the command line would say, had it begun; returns the exit code."""
    with held_back():
        from infinipot_cli.app import tell_stopped, typed_json
    return tell_stopped(end, typed_json(sys.argv[1:]))


if __name__ == "__main__":
    main()
