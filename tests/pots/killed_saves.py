"""Save a pot over and over in children that are killed at random moments, and look at what is there after each kill.

    python killed_saves.py PATH HEADER N

A process of its own, because it forks: each child begins with everything imported, so that a kill costs milliseconds.
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from infinipot_cli.engine import PotState
from infinipot_cli.pots import file
from infinipot_cli.pots.header import Header, from_json

A_CHILD = 1_000_000  # savings are numbered on from here, so that each has a number of its own
SHAPE = (1, 2, 5_000, 16)


def save_for_ever(path: Path, header: Header, number: int, done: int) -> None:
    """Save pots that say everywhere which they are; after each, its number goes into the pipe `done`."""
    while True:
        number += 1
        tensors = {"keys.0": torch.full(SHAPE, float(number), dtype=torch.float64)}
        file.write(path, replace(header, created=float(number)), PotState({}, tensors))
        os.write(done, number.to_bytes(8, "big"))


def killed(path: Path, header: Header, turn: int, seconds: float) -> list[int]:
    """Numbers of the savings that a child said it had done before it was killed."""
    theirs, ours = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(path, header, turn * A_CHILD, ours)
    os.close(ours)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(theirs, "rb") as pipe:
        data = pipe.read()
    return [int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data) - 7, 8)]


def main(path: Path, header: Header, n_kills: int) -> None:
    """Kill `n_kills` times; raises AssertionError at the first pot that is neither the old nor the new one."""
    torch.set_num_threads(1)
    rng, newest, found = random.Random(0), 0, Counter[str]()
    file.write(path, replace(header, created=0.0), PotState({}, {"keys.0": torch.zeros(SHAPE, dtype=torch.float64)}))
    for turn in range(1, n_kills + 1):
        done = killed(path, header, turn, rng.random() * 0.05)
        newest = done[-1] if done else newest
        there, state = file.read(path, "@book")
        # the saving that was cut off may have been renamed already, but not have said so
        following = newest + 1 if done else turn * A_CHILD + 1
        assert there.created in (newest, following), f"{there.created} is neither {newest} nor {following}"
        assert (state.tensors["keys.0"] == there.created).all(), "header and entries belong to different savings"
        found["new" if there.created == following else "old"] += 1
        found["left over"] += len(list(path.parent.iterdir())) > 1
        newest = int(there.created)
    sys.stdout.write(f"{n_kills} kills: {found['old']} left the old pot, {found['new']} the new one; ")
    sys.stdout.write(f"{found['left over']} times something lay beside it\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), from_json(sys.argv[2], "the header"), int(sys.argv[3]))
