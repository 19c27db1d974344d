"""Freed memory that the C library would keep: large blocks go back to the system, so that a peak is not by chance."""

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache

LARGE_BLOCK = 16 * 2**20  # bytes; what taking so many anew costs is nothing beside computing what goes into them
_M_MMAP_THRESHOLD = -3  # malloc.h


@cache
def give_back_large_blocks() -> None:
    """Have glibc ask the system for each large block and give it back when it is freed.

    Left alone, glibc takes the size of a block that was freed, up to 32 MiB, for the least of those to give back. The
    next ones come from its heap, where their place is seldom found again: slices of logits, one after the other, then
    take as much as all of them together. Who has set malloc's variables knows better.
    """
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    with suppress(OSError, AttributeError):  # musl has no such thing
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)
