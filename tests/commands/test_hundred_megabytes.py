"""A hundred megabytes through a real pipe: the program holds no more at the end than at a tenth of the way."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

LINE = "2026-11-03 12:00:01 worker 17 – finished its part of the work in 31 ms, naïve 日本\n"
N_BYTES = 100_000_000
N_TAIL = 500


def peak_bytes(process: int) -> int:
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from the proc file system")
def test_a_hundred_megabytes_of_a_pipe_take_no_more_memory_than_ten(tiny_model: Path) -> None:
    """All of it is decoded, cleaned and cut into lines; only the last lines are made tokens of.

    Tokens of all of it would take two minutes; that they take no memory either is tested with a tenth of this, on what
    bench stream measures.
    """
    data, n_lines = LINE.encode(), N_BYTES // len(LINE.encode())
    block = data * 1000
    first = n_lines // 1000 * 1000 - N_TAIL + 1
    words = ["info", "-", "--lines", f"{first}-", "-m", str(tiny_model)]
    with subprocess.Popen(
        [sys.executable, "-m", "infinipot_cli", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-1
    ) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        early = late = 0
        for number in range(n_lines // 1000):
            child.stdin.write(block)
            child.stdin.flush()
            late = peak_bytes(child.pid)
            if (number + 1) * len(block) <= N_BYTES // 10:
                early = late
        child.stdin.close()
        counted, said = child.stdout.read().decode(), child.stderr.read().decode()
        assert child.wait(timeout=60) == 0, said
    n_bytes = n_lines // 1000 * len(block)
    assert n_bytes > 0.99 * N_BYTES
    assert counted == f"standard input\ttext\t\t\t{N_TAIL * len(data)}\n"
    assert late - early < 10_000_000, (early, late)
