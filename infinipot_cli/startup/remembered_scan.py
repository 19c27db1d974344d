"""Remember what transformers' folder of models exports, which it finds out anew at every import.

Importing transformers reads more than three thousand files, twice, to learn which names they export: half a second of
every command that needs a model. What it found is kept in the cache folder and holds for that very installation; a
checkout that somebody edits is scanned as ever.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from infinipot_cli.places import cache_folder

SCANNER = "transformers.utils.import_utils"
# Where installed packages lie, as opposed to somebody's checkout.
_INSTALLED = {"site-packages", "dist-packages"}

# Names that a module exports, by module, by what must be installed for them.
Exports = dict[frozenset[str], dict[str, set[str]]]


def remember_scan() -> None:
    """See that the scanner, which must not have been imported yet, remembers what it finds."""
    sys.meta_path.insert(0, _Scanner())


def remembering(scan: Callable[..., Exports], models: Path, kept: Path) -> Callable[..., Exports]:
    """A scanner that looks into `kept` before it scans `models`, and leaves there what it found.

    Args:
        scan: of a folder, or of the folder of a file, with an optional prefix of all modules.
        models: the only folder whose scan is remembered.
        kept: file of what was found; written whole or not at all, and scanned over if it cannot be read.
    """
    found: dict[str, Exports] = {}

    def define(module_path: str | Path, prefix: str | None = None) -> Exports:
        folder = Path(module_path)
        if folder.name == "__init__.py":
            folder = folder.parent
        if folder != models:
            return scan(module_path, prefix)
        if "" not in found:
            before = _read(kept, models)
            found[""] = before if before is not None else scan(models, None)
            if before is None:
                _write(kept, models, found[""])
        start = f"{prefix}." if prefix else ""
        return {
            needed: {start + module: set(names) for module, names in modules.items()}
            for needed, modules in found[""].items()
        }

    return define


class _Scanner(MetaPathFinder):
    """Finds the scanner's module, and has it remember; all others are left to the rest of `sys.meta_path`."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """As `sys.meta_path` asks."""
        if name != SCANNER:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Remembering(spec.loader)
        return spec


class _Remembering(Loader):
    """Loads a module as its own loader does, and replaces its scanner."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As ever."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As ever, and then the scanner."""
        self._loader.exec_module(module)
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        scan, place = getattr(module, "define_import_structure", None), getattr(module, "__file__", None)
        if callable(scan) and place is not None:
            models = Path(place).parents[1] / "models"
            if _INSTALLED & set(models.parts):
                define = remembering(scan, models, cache_folder() / "transformers.json")
                module.define_import_structure = define  # type: ignore[attr-defined]


def _stamp(models: Path) -> list[object]:
    """What changes when another version is installed there; a folder's time changes with what lies in it."""
    return [str(models), *sorted(one.name for one in models.parents[1].glob("transformers-*.dist-info")),
            models.stat().st_mtime_ns, models.parent.stat().st_mtime_ns]  # fmt: skip


def _read(kept: Path, models: Path) -> Exports | None:
    try:
        content = json.loads(kept.read_text(encoding="utf-8"))
        if content["of"] != _stamp(models):
            return None
        return {
            frozenset(needed): {module: set(names) for module, names in modules.items()}
            for needed, modules in content["exports"]
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(kept: Path, models: Path, exports: Exports) -> None:
    """Keep it, if that is possible; nothing depends on it."""
    content = {
        "of": _stamp(models),
        "exports": [
            [sorted(needed), {module: sorted(names) for module, names in modules.items()}]
            for needed, modules in exports.items()
        ],
    }
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(kept)
    except OSError:
        with suppress(OSError):
            partial.unlink()
