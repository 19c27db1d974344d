"""Reading what a program shows on a terminal of ours."""

import os
import select


def shown_on(ours: int, *, patience: float = 60) -> bytes:
    """All that is shown until the other end is closed, or nothing has come for so many seconds; closes ours."""
    shown = b""
    while select.select([ours], [], [], patience)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
    os.close(ours)
    return shown
