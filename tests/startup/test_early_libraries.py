"""Torch's machine code is loaded beside other work, only where that was tried, and torch is the same afterwards."""

import subprocess
import sys

import pytest

BEGUN = "import sys\nfrom infinipot_cli.startup import early_libraries, quick_imports\n"
IS_LOADED = "print('libtorch_cpu' in open('/proc/self/maps').read(), 'torch' in sys.modules)\n"
OWN = "quick_imports.own_process()\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="the system's loader is asked on Linux alone")


def said(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", BEGUN + program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@linux
def test_the_machine_code_is_there_before_torch_is_and_torch_works() -> None:
    program = OWN + "quick_imports.begin_loading()\nearly_libraries.finish()\n" + IS_LOADED
    program += (
        "quick_imports.import_libraries(is_embedded=True)\nimport torch\n"
        "print((torch.ones(64, 64) @ torch.ones(64, 64)).sum().item(), torch.get_num_threads() > 0)\n"
    )
    assert said(program) == ["True", "False", "262144.0", "True"]


@linux
@pytest.mark.parametrize(
    "program",
    [
        "quick_imports.begin_loading()\n",
        "import os\nos.environ['RANK'] = '0'\n" + OWN + "quick_imports.begin_loading()\n",
        OWN + "early_libraries.is_tried = lambda _: False\nquick_imports.begin_loading()\n",
        OWN + "early_libraries._CUDA = early_libraries._ALL\nquick_imports.begin_loading()\n",
    ],
    ids=["a library of another's process", "one process of many", "another release", "a build for GPUs"],
)
def test_it_is_left_to_torch_where_that_may_differ(program: str) -> None:
    assert said(program + "early_libraries.finish()\n" + IS_LOADED) == ["False", "False"]


@linux
def test_a_loader_that_fails_leaves_it_to_torch_and_an_end_meanwhile_is_an_end() -> None:
    program = OWN + "early_libraries._ALL = 'libtorch.so'\n" + "quick_imports.begin_loading()\nsys.exit()\n"
    assert said(program) == []


def test_a_frame_is_of_the_module_that_it_runs_in() -> None:
    program = (
        "import inspect\nwhole = inspect.getmodule, inspect.getframeinfo\n"
        "with quick_imports._looking_up_quickly():\n"
        "    frame = inspect.currentframe()\n"
        "    print(inspect.getmodule(frame).__name__, inspect.getmodule(inspect.getmodule).__name__)\n"
        "    print(inspect.getframeinfo(frame).lineno, inspect.getframeinfo(frame).code_context)\n"
        "print((inspect.getmodule, inspect.getframeinfo) == whole)\n"
    )
    assert said(program) == ["__main__", "infinipot_cli.startup.quick_imports", "8", "None", "True"]
