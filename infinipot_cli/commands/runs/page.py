"""What a run prints: answers under their heads, and records; standard output or a file, and nothing else goes there."""

import shutil
import sys
from typing import TextIO

from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.record import SCHEMA
from infinipot_cli.display.answer import AnswerWriter
from infinipot_cli.display.digest import digest_lines
from infinipot_cli.display.fold import folded
from infinipot_cli.display.safe import safe_json
from infinipot_cli.reading import Reading


class Page:
    """The output of one run.

    Args:
        out: where it goes.
        form: text, one JSON document, or one a line.
    """

    def __init__(self, out: TextIO, form: Form) -> None:
        self.out = out
        self._form = form
        self._records: list[dict[str, object]] = []
        self._is_headed = False

    def head(self, text: str) -> None:
        """A line above an answer that is not the only one, behind an empty line unless it is the first."""
        if self._form.is_json:
            return
        if self._is_headed:
            AnswerWriter(self.out).close()
        self._is_headed = True
        self._line(text)

    def digests(self, reading: Reading, *, alone: bool = False) -> None:
        """What the logs among the documents say of themselves, and an empty line where a summary follows.

        Args:
            reading: their documents.
            alone: no summary follows.
        """
        if self._form.is_json:
            return
        logs = [entry.log for entry in reading.inputs if entry.log is not None and entry.log.is_log]
        names = [entry.document.name for entry in reading.inputs if entry.log in logs]
        for log, name in zip(logs, names, strict=True):
            log.close()
            lines = digest_lines(log, name if len(reading.inputs) > 1 else "")
            if self.out is sys.stdout and self.out.isatty() and not self._form.run.plain:
                lines = list(folded(lines, shutil.get_terminal_size().columns))
            self._line("\n".join(lines))
            if not alone or log is not logs[-1]:
                AnswerWriter(self.out).close()

    def record(self, record: dict[str, object]) -> None:
        """A JSON document: printed at once where each has its line, else with the others at the end."""
        if self._form.jsonl:
            self._line(safe_json(record, one_line=True))
        elif self._form.json:
            self._records.append(record)

    def close(self) -> None:
        """Print the one JSON document of the run, where that was asked for."""
        if self._form.json:
            only = self._records[0] if len(self._records) == 1 else {"schema": SCHEMA, "results": self._records}
            self._line(safe_json(only))

    def _line(self, text: str) -> None:
        writer = AnswerWriter(self.out)
        writer.write(text)
        writer.close()
