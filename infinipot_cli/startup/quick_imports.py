"""Import large libraries without collecting garbage meanwhile, and without what we never use, as torch's compiler.

Every run that needs a model waits for its imports. The collector would walk over what they make again and again; and
transformers imports torch's compiler and distributed tensors, a third of all that it brings in, only to decorate
functions for whoever compiles them or spreads them over machines.
"""

import functools
import gc
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

from infinipot_cli.endings import held_back
from infinipot_cli.startup import early_libraries
from infinipot_cli.startup.late_shapes import bring_in, import_torch, imported_meanwhile
from infinipot_cli.startup.remembered_scan import remember_scan

COMPILER = "torch._dynamo"
_MARKDOWN = "rich.markdown"
# What tells the compiler about a function, and does nothing else.
_MARKS = frozenset({"allow_in_graph", "assume_constant_result", "disable"})
# A part of it that needs nothing of the whole, and that transformers takes a class from.
_APART = frozenset({f"{COMPILER}._trace_wrapped_higher_order_op"})
# What of transformers reads any model, and the embedded one.
_NEEDED = ("modeling_utils", "models.auto.modeling_auto", "integrations.sdpa_attention")
_EMBEDDED = "models.llama.modeling_llama"
_owns_process = False
# Set by those who start one process of many.
_SPREAD = ("WORLD_SIZE", "RANK", "LOCAL_RANK")


@contextmanager
def without_collecting() -> Iterator[None]:
    """Import inside this; what is imported whole or not at all stands in `endings.held_back` besides.

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


class Deferred(ModuleType):
    """Stands for torch's compiler until more of it is needed than its marks; then it is imported, marks and all."""

    def __init__(self, name: str, spec: Any) -> None:
        super().__init__(name)
        self.__spec__, self.__package__ = spec, name
        self.__path__ = spec.submodule_search_locations
        self.__file__ = spec.origin
        self._marked: list[Callable[[ModuleType], None]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _MARKS and sys.modules.get(COMPILER) is self:
            return functools.partial(self._mark, name)
        return getattr(self.real(), name)

    def _mark(self, mark: str, function: Any = None, *more: Any, **named: Any) -> Any:
        """The function, which works as it would; the compiler is told of it once it is there."""
        if function is None:
            return lambda later: self._mark(mark, later, *more, **named)
        if sys.modules.get(COMPILER) is not self or not isinstance(function, FunctionType):
            return getattr(self.real(), mark)(function, *more, **named)
        told: list[Any] = [function]

        @functools.wraps(function)
        def call(*words: Any, **options: Any) -> Any:
            return told[0](*words, **options)

        def tell(real: ModuleType) -> None:
            told[0] = getattr(real, mark)(function, *more, **named)

        self._marked.append(tell)
        return call if mark == "disable" else function

    def real(self) -> ModuleType:
        """The compiler, imported at the first call."""
        if sys.modules.get(COMPILER) is self:
            bring_in()
            del sys.modules[COMPILER]
            real = import_module(COMPILER)
            for tell in self._marked:
                tell(real)
        return sys.modules[COMPILER]


class _WholeFirst(MetaPathFinder):
    """Sees that no part of the compiler is imported before the whole, as `sys.meta_path` asks."""

    def __init__(self, deferred: Deferred) -> None:
        self._deferred = deferred

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Where a part is, once the whole is there; None leaves it to the others."""
        if not name.startswith(f"{COMPILER}.") or name in _APART or sys.modules.get(COMPILER) is not self._deferred:
            return None
        self._deferred.real()
        return imported_meanwhile(name)


def own_process() -> None:
    """Say that this process is a command's: nobody else wants more of the libraries than commands do."""
    global _owns_process
    _owns_process = True
    if _MARKDOWN not in sys.modules:
        stand_in = ModuleType(_MARKDOWN)
        vars(stand_in)["Markdown"] = _Markdown
        sys.modules[_MARKDOWN] = stand_in


class _Markdown:
    """Stands for Rich's, which Typer imports for help texts in Markdown and ours are not.

    It brings a parser with it, a fifth of the time that help takes. Whoever makes one after all gets the real one.
    """

    def __new__(cls, *words: Any, **options: Any) -> Any:
        if getattr(sys.modules.get(_MARKDOWN), "Markdown", None) is _Markdown:
            del sys.modules[_MARKDOWN]
        return import_module(_MARKDOWN).Markdown(*words, **options)


def before_transformers() -> None:
    """Prepare an import of transformers, so that it looks for its models as quickly as a command needs it.

    Does nothing where infinipot is a library of somebody else's process, and where transformers was imported before.
    """
    if _owns_process and "transformers" not in sys.modules:
        remember_scan()


def begin_loading() -> None:
    """Let torch's machine code be loaded beside what else there is to do; `import_libraries` will be called soon."""
    if _may_import():
        early_libraries.begin()


def _may_import() -> bool:
    return _owns_process and "torch" not in sys.modules and not any(name in os.environ for name in _SPREAD)


@contextmanager
def _looking_up_quickly() -> Iterator[None]:
    """Let who looks at calling frames meanwhile find their module at once, and no lines of source around them.

    Torch notes where its operators are defined. Python would follow the links in the paths of all modules to tell which
    of them that is, though it is the one that the frame runs in, and read its text, which nobody wants.
    """
    info, module = inspect.getframeinfo, inspect.getmodule

    def module_of(thing: Any, *words: Any, **options: Any) -> ModuleType | None:
        found = sys.modules.get(thing.f_globals.get("__name__", "")) if inspect.isframe(thing) else None
        return found or module(thing, *words, **options)

    vars(inspect).update(getframeinfo=functools.partial(info, context=0), getmodule=module_of)
    try:
        yield
    finally:
        vars(inspect).update(getframeinfo=info, getmodule=module)


def import_libraries(*, is_embedded: bool = False) -> None:
    """Import torch and transformers as a command needs them: in one process, the compiler only if somebody asks for it.

    Does nothing where infinipot is a library of somebody else's process, in one process of many, and where torch was
    imported before.

    Args:
        is_embedded: the embedded model is wanted, so that torch may come without what only others need.
    """
    if not _may_import():
        return
    early_libraries.finish()
    with without_collecting(), _looking_up_quickly():
        before_transformers()
        with held_back():
            torch = import_torch() if is_embedded else import_module("torch")
        spec = PathFinder.find_spec(COMPILER, torch.__path__)
        if spec is None or COMPILER in sys.modules:
            return
        deferred = Deferred(COMPILER, spec)
        sys.modules[COMPILER] = deferred
        sys.meta_path.insert(0, _WholeFirst(deferred))
        try:
            with held_back():
                distributed = import_module("torch.distributed")
            _import_transformers(distributed, [*_NEEDED, _EMBEDDED] if is_embedded else _NEEDED)
        except Exception:  # of another version: it is imported as it is, by whoever needs it
            _forget()


def _import_transformers(distributed: Any, names: Sequence[str]) -> None:
    """Import parts of it while torch says that it cannot work on several machines, as some builds do."""
    is_available = distributed.is_available
    distributed.is_available = lambda: False
    try:
        for name in names:
            with held_back():  # of each, so that none is waited for long
                import_module(f"transformers.{name}")
    finally:
        distributed.is_available = is_available


def _forget() -> None:
    """Take back what was begun."""
    if isinstance(sys.modules.get(COMPILER), Deferred):
        del sys.modules[COMPILER]
    for name in [name for name in sys.modules if name.partition(".")[0] == "transformers"]:
        del sys.modules[name]
