"""Import torch without what it knows of shapes alone, a sixth of what every command that needs a model computes.

At the end of its import torch tells its device without memory and its compiler what shape every operation gives, and
builds hundreds of operators for that. The embedded model is computed on a CPU and never asks. Whoever does, by the
import of any part of it, gets all of it first; who loads other models says so, with `bring_in`. All this holds for the
releases of torch that it was tried with; others are imported as they are.
"""

import re
import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

SHAPES = "torch._meta_registrations"
# What it is made of, and what imports a part of it and is imported by that part in turn.
_PARTS = ("torch._decomp", "torch._prims", "torch._refs", "torch.utils._content_store")
_TRIED = re.compile(r"""^__version__ = ['"]2\.13\.""", re.MULTILINE)


def imported_meanwhile(name: str) -> ModuleSpec | None:
    """What a finder answers that has had a module imported; None where it has not been."""
    module = sys.modules.get(name)
    if module is None:
        return None
    spec = ModuleSpec(name, _Imported(module))
    module.__spec__ = spec  # Python takes the module's own, which would have it run a second time
    return spec


class _Imported(Loader):
    """Gives a module that has been imported meanwhile."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do but to leave it as it was."""
        module.__spec__ = self._spec


class _StandIn(ModuleType):
    """In the place of what was left out; is replaced by it as soon as something of it is needed."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        bring_in()
        return getattr(sys.modules[SHAPES], name)


class _AllFirst(MetaPathFinder):
    """Sees that no part is imported without the rest, as `sys.meta_path` asks."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Where a part is, once all of it is there; None leaves it to the others."""
        if not is_left_out() or not any(name == part or name.startswith(f"{part}.") for part in _PARTS):
            return None
        bring_in()
        return imported_meanwhile(name)


def import_torch() -> ModuleType:
    """Import torch, which must not have been imported yet, without it."""
    spec = PathFinder.find_spec("torch")
    if spec is not None and spec.origin is not None and is_tried(Path(spec.origin).parent):
        sys.modules[SHAPES] = _StandIn(SHAPES)
    try:
        return import_module("torch")
    finally:
        if is_left_out():
            sys.meta_path.insert(0, _AllFirst())


def is_left_out() -> bool:
    """Whether it was left out and nobody needed it so far."""
    return isinstance(sys.modules.get(SHAPES), _StandIn)


def bring_in() -> None:
    """Import what was left out; does nothing where nothing was."""
    if is_left_out():
        del sys.modules[SHAPES]
        import_module(SHAPES)


def is_tried(folder: Path) -> bool:
    """Whether the torch of a folder is of a release that shortcuts were tried with."""
    try:
        return _TRIED.search((folder / "version.py").read_text(encoding="utf-8")) is not None
    except (OSError, ValueError):
        return False
