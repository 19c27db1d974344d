"""The collector rests while libraries are imported, and the compiler stays away until somebody asks for it."""

import gc
import os
import subprocess
import sys

import pytest

from infinipot_cli.startup.quick_imports import without_collecting


def importing() -> None:
    with without_collecting():
        assert not gc.isenabled()
        raise ImportError


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_as_before_even_after_a_failure(was_enabled: bool) -> None:
    before = gc.isenabled()
    try:
        gc.enable() if was_enabled else gc.disable()
        with pytest.raises(ImportError):
            importing()
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable() if before else gc.disable()
        gc.unfreeze()


def said(program: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom infinipot_cli.startup import quick_imports\n" + program],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


LEAN = "quick_imports.own_process(); quick_imports.import_libraries()\n"
LOADED = "print('torch._dynamo.symbolic_convert' in sys.modules, 'torch.distributed.tensor' in sys.modules)\n"


def test_a_command_imports_no_compiler_until_it_is_asked_for_and_then_it_works() -> None:
    program = LEAN + (
        "import torch\nfrom transformers.generation.continuous_batching import PagedAttentionCache\n"
        + LOADED
        + "marked = torch.compiler.disable(lambda x: x + 1)\n"
        "print(marked(torch.ones(1)).item(), torch.distributed.is_available())\n"
        "print(torch.compile(lambda x: marked(x) * 2, backend='eager')(torch.ones(1)).item())\n"
        "print(type(sys.modules['torch._dynamo']).__name__, torch._dynamo is sys.modules['torch._dynamo'])\n" + LOADED
    )
    assert said(program) == "False False 2.0 True 4.0 module True True True".split()


def test_no_part_of_the_compiler_is_run_twice() -> None:
    program = LEAN + (
        "import torch._dynamo.trace_rules as part\nfrom torch._dynamo import convert_frame\n"
        "print(convert_frame.trace_rules is part)\n"
    )
    assert said(program) == ["True"]


@pytest.mark.parametrize(
    ("program", "environment"),
    [
        ("quick_imports.import_libraries()\nprint('torch' in sys.modules)", {}),
        (LEAN + "print('torch' in sys.modules)", {"WORLD_SIZE": "2"}),
        (
            "quick_imports._import_transformers = lambda *_: 1 / 0\n"
            + LEAN
            + "print('torch._dynamo' in sys.modules or 'transformers' in sys.modules)",
            {},
        ),
    ],
)
def test_nothing_is_deferred_in_somebody_elses_process_or_where_it_fails(
    program: str, environment: dict[str, str]
) -> None:
    assert said(program, **environment) == ["False"]
