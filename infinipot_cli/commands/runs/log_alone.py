"""A log of which nothing but its digest is shown: its lines are counted, and no model reads it.

A few of a log's ordinary lines say nothing more under its digest, and to pick them would take minutes where counting
takes a second.
"""

from collections.abc import Iterator
from itertools import chain

from infinipot_cli.commands.runs.form import Form
from infinipot_cli.documents import LateDocument, TextPiece
from infinipot_cli.logs import Digest
from infinipot_cli.reading import Reading
from infinipot_cli.sources import Input


def watched(form: Form, reading: Reading) -> Reading:
    """The same reading, whose documents are watched by digests where their logs are to be told of."""
    if form.digest:
        for entry in reading.inputs:
            _watch(entry, entry.pieces)
    return reading


def is_enough(form: Form, reading: Reading) -> bool:
    """Whether digests are all that this run would show of these documents; what is looked at can still be read.

    Args:
        form: how to reply.
        reading: whose documents are watched by digests, and of which nothing was read yet.
    """
    if not (form.picked and form.digest and form.answers):
        return False
    wants_a_pot = form.save_pot or form.reports or form.pins or any(entry.was_read for entry in reading.inputs)
    return not wants_a_pot and all(_begins_as_log(entry, reading) for entry in reading.inputs)


def count(reading: Reading) -> int:
    """Count the lines of all documents, or of what comes before Ctrl-C; their number."""
    for entry in reading.inputs:
        for _ in reading.stop.guard(entry.pieces):
            pass
        if entry.log is not None:
            entry.log.close()
    return sum(entry.log.n_lines for entry in reading.inputs if entry.log is not None)


def _begins_as_log(entry: Input, reading: Reading) -> bool:
    if entry.log is None:
        return False
    looked = []
    for piece in reading.stop.guard(entry.pieces):
        looked.append(piece)
        if entry.log.is_settled:
            break
    is_log = entry.log.is_log
    if isinstance(entry.document, LateDocument):  # a thousand of them may not wait with open files
        entry.document.close()
        _watch(entry, entry.document.pieces())
    elif reading.stop.is_wanted and not is_log and len(reading.inputs) == 1:
        entry.pieces = iter(looked)  # what has come can be read and answered from
        reading.stop.put_off()
    else:
        entry.pieces = chain(looked, entry.pieces)
    return is_log


def _watch(entry: Input, pieces: Iterator[TextPiece]) -> None:
    entry.log = Digest(entry.lines)
    entry.pieces = entry.log.watch(pieces)
