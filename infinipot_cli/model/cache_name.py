"""What a module calls the cache that it is handed: `cache`, or `past_key_values` before transformers 5.24.

Both are in use: releases that know the newer name warn of the older one in every process, and code that comes with a
checkpoint knows only that of its day.
"""

import inspect
from collections.abc import Callable
from functools import cache as remembered
from typing import Any

from torch import nn
from transformers.cache_utils import Cache

NEW, OLD = "cache", "past_key_values"


def handed(module: nn.Module, cache: Cache) -> dict[str, Cache]:
    """A cache as the keyword argument by which a module's forward takes it."""
    return {_name(type(module).forward): cache}


@remembered
def _name(forward: Callable[..., Any]) -> str:
    """Decorators around a forward are looked through, as `inspect.signature` does."""
    return NEW if NEW in inspect.signature(forward).parameters else OLD
