"""Let the system load torch's machine code while Python still does other things.

That is a fifth of the import, and needs no Python: on a second core it costs no time. It is done for builds for
processors alone, of the releases of torch that it was tried with; what others bring along they look for themselves.
"""

import ctypes
import os
import sys
import threading
from importlib.machinery import PathFinder
from pathlib import Path

from infinipot_cli.startup.late_shapes import is_tried

# As torch loads them itself: what all of it shares first, for everyone to see.
_SHARED, _ALL, _CUDA = "libtorch_global_deps.so", "libtorch_python.so", "libtorch_cuda.so"
_loading: threading.Thread | None = None


def begin() -> None:
    """Begin to load, if torch has not been imported; whoever imports it calls `finish` before."""
    global _loading
    if _loading is not None or "torch" in sys.modules or sys.platform != "linux":
        return
    spec = PathFinder.find_spec("torch")
    if spec is None or spec.origin is None or not is_tried(Path(spec.origin).parent):
        return
    folder = Path(spec.origin).parent / "lib"
    if all((folder / name).exists() for name in (_SHARED, _ALL)) and not (folder / _CUDA).exists():
        _loading = threading.Thread(target=_load, args=(folder,), name="load torch")
        _loading.start()


def finish() -> None:
    """Wait until what was begun is done."""
    if _loading is not None:
        _loading.join()


def _load(folder: Path) -> None:
    """Load both; a failure is found, and said, by the import."""
    # called like this and not by `ctypes.CDLL`, which would keep Python waiting meanwhile
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name, mode in ((_SHARED, os.RTLD_NOW | os.RTLD_GLOBAL), (_ALL, os.RTLD_NOW)):
        dlopen(os.fsencode(folder / name), mode)
