"""What `ask` and `summarize` share: read, show how it goes, answer, and say what was kept."""

import select
import sys
from collections.abc import Sequence

from infinipot_cli.commands.words import STDIN
from infinipot_cli.display.answer import AnswerWriter, use_utf8
from infinipot_cli.display.console import error_console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.display.safe import safe, safe_json
from infinipot_cli.display.summary import duration, kept_line, size
from infinipot_cli.errors import OutputError
from infinipot_cli.plan import Task
from infinipot_cli.session import Reading, Session
from infinipot_cli.settings import Color

SILENCE_SECONDS = 1.0


class Reply:
    """One run of a command that reads documents and answers.

    Args:
        session: the model and the wishes about the pot.
        json: print one JSON document instead of the answer's text.
        quiet: print nothing but answer and errors.
        color: when to use colour on standard error.
    """

    def __init__(self, session: Session, *, json: bool, quiet: bool, color: Color) -> None:
        use_utf8()
        self._session = session
        self._json = json
        self._console = error_console(color, quiet=quiet)

    def run(self, sources: Sequence[str], task: Task, *, key: str) -> None:
        """Read the sources and answer.

        Args:
            sources: paths, or `-` for standard input.
            task: what they are read for.
            key: what the answer is called in JSON.
        """
        if sys.stdout is None:
            raise OutputError("standard output is closed", code="stdout_closed")
        if STDIN in sources:
            self._tell_if_silent()
        with self._session.prepare(sources, task) as reading:
            plan = reading.plan
            names, model = ", ".join(entry.document.name for entry in reading.inputs), self._session.files.name
            say(
                self._console,
                f"{names} → pot of {plan.capacity} places, {plan.budget} kept when it is full · {model}",
                style="dim",
            )
            with ReadingBar(self._console, waiting=f"loading {model}") as bar:
                for progress in reading.read():
                    bar.update(progress)
            for warning in reading.warnings:
                show_warning(self._console, warning)
            text = self._answer(reading)
            self._report(reading, text, key)

    def _answer(self, reading: Reading) -> str:
        if self._json:
            return safe("".join(reading.answer())).strip()
        writer = AnswerWriter()
        for text in reading.answer():
            writer.write(text)
        writer.close()
        return writer.text

    def _report(self, reading: Reading, text: str, key: str) -> None:
        if self._json:
            writer = AnswerWriter()
            writer.write(safe_json(self._record(reading, text, key)))
            writer.close()
        if not text:
            show_warning(self._console, "the model gave no answer")
        elif reading.is_cut:
            show_warning(self._console, f"the answer was cut at {reading.n_answer} tokens; -n gives it more room")
        plan, timing = reading.plan, reading.timing
        say(self._console, kept_line(reading.n_tokens, plan.capacity, reading.kept_share))
        speed = reading.n_tokens / timing.read_seconds if timing.read_seconds else 0.0
        say(
            self._console,
            f"reading {duration(timing.read_seconds)} ({speed:.0f} tok/s), {reading.pot.n_cycles} distillations"
            f" · answer {reading.n_answer} tokens, {duration(timing.answer_seconds)}"
            f" · pot {size(reading.pot.nbytes)}, peak {reading.pot.peak} entries",
            style="dim",
        )

    def _record(self, reading: Reading, text: str, key: str) -> dict[str, object]:
        plan, timing, loaded = reading.plan, reading.timing, self._session.load()
        return {
            "schema": 1,
            key: text,
            "is_cut": reading.is_cut,
            "model": {"id": loaded.name, "dtype": loaded.dtype, "device": loaded.device},
            "pot": {
                "size": plan.capacity,
                "budget": plan.budget,
                "used": reading.pot.n_held,
                "peak": reading.pot.peak,
                "bytes": reading.pot.nbytes,
                "distillations": reading.pot.n_cycles,
                "catalyst": reading.task.catalyst,
            },
            "retention": {
                "read": reading.n_tokens,
                "kept": round(reading.n_kept, 2),
                "places": plan.capacity,
                "share": round(reading.kept_share, 6),
            },
            "input": [
                {
                    "path": entry.document.name,
                    "type": entry.document.kind,
                    "pages": entry.document.n_pages,
                    "tokens": entry.n_tokens,
                    "kept": round(entry.n_kept, 2),
                }
                for entry in reading.inputs
            ],
            "timing": {
                "load_s": round(timing.load_seconds, 3),
                "read_s": round(timing.read_seconds, 3),
                "answer_s": round(timing.answer_seconds, 3),
                "answer_tokens": reading.n_answer,
            },
            "warnings": [{"code": "document", "message": line} for line in reading.warnings],
        }

    def _tell_if_silent(self) -> None:
        """Say what is being waited for when nothing comes; a run that hangs without a word looks broken."""
        try:
            ready, _, _ = select.select([sys.stdin.fileno()], [], [], SILENCE_SECONDS)
        except (AttributeError, OSError, ValueError):  # closed, or a test's stream without a descriptor
            return
        if not ready:
            end = " (Ctrl-D ends it)" if sys.stdin.isatty() else ""
            say(self._console, f"reading standard input…{end}", style="dim")
