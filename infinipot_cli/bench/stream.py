"""Memory while a text of any size comes through a pipe and becomes tokens: everything in front of the model.

A model reads a gigabyte in days, the documents and the tokenizer in minutes. What they hold must not grow either, and
this measures them alone, in a process of their own with a real pipe; `memory` measures the whole program.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from infinipot_cli.bench.record import StreamRow
from infinipot_cli.errors import InfinipotError

EARLY_BYTES = 10_000_000


def measure(text: str, n_bytes: int, model: str) -> StreamRow:
    """Send a text through a pipe until so many bytes have been sent, every copy under a number of its own.

    Args:
        text: what is sent, again and again.
        n_bytes: how much.
        model: whose tokenizer makes tokens of it.

    Raises:
        InfinipotError: the reading process failed; its own message has been shown.
    """
    start = time.perf_counter()
    command = [sys.executable, "-m", "infinipot_cli.bench.stream", model]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            for data in _copies(text, n_bytes):
                child.stdin.write(data)
            child.stdin.close()
        except BrokenPipeError:
            pass  # its exit code tells
        content = child.stdout.read()
    if child.returncode:
        raise InfinipotError(f"the measured process failed with exit code {child.returncode}")
    record = json.loads(content)
    return StreamRow(
        n_bytes=n_bytes,
        n_tokens=record["tokens"],
        early_bytes=record["early"],
        late_bytes=record["late"],
        seconds=round(time.perf_counter() - start, 2),
    )


def _copies(text: str, n_bytes: int) -> Iterator[bytes]:
    number = n_sent = 0
    while n_sent < n_bytes:
        number += 1
        data = f"Copy {number}\n{text}\n".encode()[: n_bytes - n_sent]
        n_sent += len(data)
        yield data


def resident_bytes() -> int:
    """Memory that this process holds now; where the system does not say, the most it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _read(model: str) -> dict[str, int]:
    """Read standard input as `ask` and `summarize` do, up to the model's door."""
    from infinipot_cli.documents import TextPiece, open_document
    from infinipot_cli.logs import Digest
    from infinipot_cli.session import Session
    from infinipot_cli.tokens.stream import stream_tokens

    tokenizer, n_chars, n_tokens, early, late = Session(model).tokenizer, 0, 0, 0, 0

    def watched(pieces: Iterator[TextPiece]) -> Iterator[TextPiece]:
        nonlocal n_chars
        for piece in pieces:
            n_chars += len(piece.text)
            yield piece

    with open_document("-") as document:
        for run in stream_tokens(watched(Digest().watch(document.pieces())), tokenizer):
            n_tokens += len(run.ids)
            held = resident_bytes()
            if n_chars <= EARLY_BYTES:
                early = max(early, held)
            else:
                late = max(late, held)
    return {"tokens": n_tokens, "early": early, "late": max(early, late)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_read(sys.argv[1])))
