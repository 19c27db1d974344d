"""Large blocks are given back to the system when they are freed, whatever the C library has learnt before."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import os, sys, torch
from infinipot_cli.model.heap import LARGE_BLOCK, give_back_large_blocks

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "given":
    give_back_large_blocks()
torch.ones(31 * 2**18)  # of 31 MiB, after which glibc would keep what is smaller
before, barriers = resident(), []
for _ in range(8):
    block = torch.ones(LARGE_BLOCK // 4 + 1024)
    barriers.append(torch.ones(2**15))  # keeps the end of the heap in use
    del block
print((resident() - before) / 2**20)
"""


def mebibytes_kept(how: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", CODE, how]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed blocks by size")
def test_large_blocks_are_given_back_unless_malloc_s_variables_say_otherwise() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    assert mebibytes_kept("given", plain) < 4
    told = plain | {"MALLOC_MMAP_MAX_": "0"}
    assert mebibytes_kept("given", told) > 12
