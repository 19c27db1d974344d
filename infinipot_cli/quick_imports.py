"""Import large libraries without collecting garbage meanwhile, which takes a quarter off the start of every run."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Import inside this.

    An import makes hundreds of thousands of objects that stay; the collector would walk over all of them again and
    again and find nothing. What was made is frozen, so that later collections pass it by too.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
