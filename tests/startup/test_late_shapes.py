"""What torch knows of shapes alone stays away from the embedded model, and is there for everybody who needs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from infinipot_cli.startup.late_shapes import SHAPES, bring_in, is_left_out

only_where_tried = pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="torch is imported as it is")

LEAN = (
    "import sys\nfrom infinipot_cli.startup import late_shapes, quick_imports\nquick_imports.own_process()\n"
    "quick_imports.import_libraries(is_embedded=True)\nimport torch\nprint(late_shapes.is_left_out())\n"
)
UNTRIED = "late_shapes.is_tried = lambda _: False\n"
USES = (
    "import torch._prims",
    "import torch._decomp.decompositions",
    "from torch._refs import abs",
    "import torch.utils._content_store",
    "torch._meta_registrations.meta_index_Tensor",
    "late_shapes.bring_in()",
    "from infinipot_cli.engine.sampling import seeded; seeded(3)",
)
NOW = "print(late_shapes.is_left_out())\n"


def said(program: str, *words: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("WORLD_SIZE", "RANK")}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@only_where_tried
def test_the_embedded_model_reads_draws_and_keeps_by_chance_without_it(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom infinipot_cli.startup import late_shapes, quick_imports\nquick_imports.own_process()\n"
        "from infinipot_cli.session import Session, ask\nfrom infinipot_cli.settings import PotRequest, Sampling\n"
        "def answer(**wishes):\n"
        "    with Session(**wishes).prepare([sys.argv[1]], ask('What is the pass key?')) as reading:\n"
        "        list(reading.read())\n        return ''.join(reading.answer())\n"
        "print(answer())\n" + NOW + "print(answer(sampling=Sampling(temperature=1e-3, seed=5)))\n" + NOW
    )
    (tmp_path / "text").write_text("The pass key is 4711. Remember it.", encoding="utf-8")
    assert said(program, str(tmp_path / "text")) == ["4711", "True", "4711", "False"]


@pytest.fixture(scope="module")
def told() -> list[list[str]]:
    """What is said after each of `USES` by a process of its own, which begins where the same imports have ended."""
    forks = (
        "import os\nfor use in sys.argv[1:]:\n    sys.stdout.flush()\n    child = os.fork()\n"
        "    if child == 0:\n        exec(use)\n        sys.stdout.flush()\n        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0, use\n"
    )
    check = (
        "\nimport torch._prims, torch._decomp.decompositions as inner\n"
        "shapes = sys.modules['torch._meta_registrations']\n"
        "print(torch._meta_registrations is shapes, inner.torch._prims is sys.modules['torch._prims'])\n"
        "print(torch.empty(3, 4, device='meta')[torch.empty(2, dtype=torch.long, device='meta')].shape[0])\n"
    )
    before, *words = said(LEAN + forks, *(use + "\n" + NOW + check for use in USES))
    assert before == "True" and len(words) == 4 * len(USES)
    return [words[at : at + 4] for at in range(0, len(words), 4)]


@only_where_tried
@pytest.mark.parametrize("number", range(len(USES)), ids=USES)
def test_whoever_asks_for_any_of_it_has_all_of_it_once(number: int, told: list[list[str]]) -> None:
    assert told[number] == ["False", "True", "True", "2"]


@only_where_tried
def test_the_compiler_has_it() -> None:
    program = LEAN + "print(torch.compile(lambda x: x[0] * 2, backend='eager')(torch.ones(2)).item())\n" + NOW
    assert said(program) == ["True", "2.0", "False"]


def test_another_model_has_it_even_behind_the_embedded_one(tiny_model: Path) -> None:
    program = (
        "import sys\nfrom infinipot_cli.startup import late_shapes, quick_imports\nquick_imports.own_process()\n"
        "from infinipot_cli.session import Session\nSession().load()\n"
        "model = Session(sys.argv[1]).load().model\n" + NOW + "import torch\n"
        "print(model(torch.tensor([[3, 4]])).logits.isfinite().all().item())\n"
    )
    assert said(program, str(tiny_model)) == ["False", "True"]


@pytest.mark.parametrize(
    "program",
    [
        LEAN.replace("is_embedded=True", ""),
        LEAN.replace("quick_imports.own_process()", ""),
        LEAN.replace("quick_imports.own", UNTRIED + "quick_imports.own", 1),
    ],
)  # fmt: skip
def test_it_is_imported_for_other_models_in_other_processes_and_with_other_releases(program: str) -> None:
    assert said(program) == ["False"]


@pytest.mark.parametrize(
    ("text", "is_tried"),
    [
        ("__version__ = '2.13.0+cpu'\n", True), ("x = 1\n__version__ = '2.13.1'\n", True),
        ("__version__ = '2.130.0'\n", False), ("__version__ = '2.14.1'\n", False), ("", False), (None, False),
    ],
)  # fmt: skip
def test_only_releases_that_it_was_tried_with_come_without_it(tmp_path: Path, text: str | None, is_tried: bool) -> None:
    from infinipot_cli.startup.late_shapes import is_tried as tried

    if text is not None:
        (tmp_path / "version.py").write_text(text, encoding="utf-8")
    assert tried(tmp_path) is is_tried


def test_nothing_is_brought_in_where_nothing_was_left_out() -> None:
    before = sys.modules[SHAPES]
    bring_in()
    assert sys.modules[SHAPES] is before
    assert not is_left_out()
