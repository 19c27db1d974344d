"""Peak memory of the real command, each length in a process of its own, as the operating system counts it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from infinipot_cli.bench.record import MemoryRow
from infinipot_cli.errors import InfinipotError, PotError

QUESTION = "What is the pass key?"
# A measurement leaves nothing behind, is never answered from a kept reading, and does not wait for one to be kept.
COMMAND = "ask --no-cache --no-log"


def measure(text: str, arguments: list[str]) -> MemoryRow:
    """Ask a question about a text in a fresh process and take that process's peak.

    The system carries a parent's own peak over to a child that it starts, so the caller must be small: no torch here.

    Args:
        text: what is read.
        arguments: further words for `infinipot ask`.

    Raises:
        PotError: the text did not fit the pot, and nothing was distilled all the same.
        InfinipotError: the command failed; its own message has been shown.
    """
    with tempfile.TemporaryDirectory(prefix="infinipot-") as folder:
        path = Path(folder) / "text.txt"
        path.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        command = [sys.executable, "-m", "infinipot_cli", *COMMAND.split(), str(path), QUESTION, "--json", "-q"]
        command += arguments
        with (Path(folder) / "answer.json").open("w+", encoding="utf-8") as out:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)  # wait4 took it; Popen must not ask again
            out.seek(0)
            content = out.read()
    if child.returncode:
        raise InfinipotError(f"the measured command failed with exit code {child.returncode}")
    record = json.loads(content)
    if record["retention"]["read"] > record["pot"]["size"] and not record["pot"]["distillations"]:
        raise PotError(f"{record['retention']['read']} tokens were read and nothing was distilled")
    return MemoryRow(
        n_tokens=record["retention"]["read"],
        n_distilled=record["pot"]["distillations"],
        peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        seconds=round(time.perf_counter() - start, 2),
    )
