"""What transformers' models export is scanned once per installation, and a memory of it that is wrong is not used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infinipot_cli.startup.remembered_scan import Exports, remembering

FOUND: Exports = {frozenset(): {"a.config": {"AConfig"}}, frozenset({"torch", "vision"}): {"a.model": {"A", "B"}}}


class Scan:
    """A scanner that counts."""

    def __init__(self) -> None:
        self.asked: list[tuple[Path, str | None]] = []

    def __call__(self, module_path: str | Path, prefix: str | None = None) -> Exports:
        self.asked.append((Path(module_path), prefix))
        return {needed: dict(modules) for needed, modules in FOUND.items()}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages" / "transformers" / "models"
    folder.mkdir(parents=True)
    (tmp_path / "site-packages" / "transformers-5.0.dist-info").mkdir()
    return folder


def test_a_second_process_does_not_scan(models: Path, tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "found.json"
    first, second = Scan(), Scan()
    assert remembering(first, models, kept)(models) == FOUND
    again = remembering(second, models, kept)
    assert again(models) == FOUND == again(models / "__init__.py")
    assert again(models, "models") == {
        frozenset(): {"models.a.config": {"AConfig"}},
        frozenset({"torch", "vision"}): {"models.a.model": {"A", "B"}},
    }
    assert (len(first.asked), len(second.asked)) == (1, 0)
    # what a caller does to its answer is not seen by the next
    again(models)[frozenset()].clear()
    assert again(models) == FOUND
    again(models / "llama" / "__init__.py", "x")
    assert second.asked == [(models / "llama" / "__init__.py", "x")]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"of": 1}', '{"exports": []}', "null", "\x00", '{"of": [], "exports": 3}']
)
def test_a_memory_that_cannot_be_read_is_made_anew(models: Path, tmp_path: Path, content: str) -> None:
    kept = tmp_path / "found.json"
    kept.write_text(content)
    scan = Scan()
    assert remembering(scan, models, kept)(models) == FOUND
    assert len(scan.asked) == 1
    assert json.loads(kept.read_text())["exports"]
    # of the right installation, and still not what was written
    wrong = json.loads(kept.read_text()) | {"exports": [["torch", 5]]}
    kept.write_text(json.dumps(wrong))
    assert remembering(scan, models, kept)(models) == FOUND


def test_another_installation_is_scanned(models: Path, tmp_path: Path) -> None:
    kept = tmp_path / "found.json"
    remembering(Scan(), models, kept)(models)
    for change in (
        lambda: os.utime(models, ns=(1, 1)),
        lambda: (tmp_path / "site-packages" / "transformers-5.0.dist-info").rename(
            tmp_path / "site-packages" / "transformers-5.1.dist-info"
        ),
        lambda: (models / "new").mkdir(),
    ):
        change()
        scan = Scan()
        remembering(scan, models, kept)(models)
        assert len(scan.asked) == 1


def test_without_a_place_to_keep_it_it_is_scanned_as_ever(models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert remembering(Scan(), models, tmp_path / "file" / "found.json")(models) == FOUND
    assert list(tmp_path.glob("file*")) == [tmp_path / "file"]


PROGRAM = """
import json, sys
from pathlib import Path
if sys.argv[1] == "lean":
    from infinipot_cli.startup import quick_imports
    quick_imports.own_process()
    quick_imports.import_libraries()
import transformers
from transformers.utils.import_utils import define_import_structure
# transformers adds its own names to what its cached scan has returned; without the cache it scans anew
scan = getattr(define_import_structure, "__wrapped__", define_import_structure)
found = scan(Path(transformers.__file__).parent / "models", prefix="models")
print(json.dumps(sorted([sorted(k), sorted([m, sorted(n)] for m, n in v.items())] for k, v in found.items())))
print(transformers.LlamaForCausalLM.__name__, transformers.models.llama.LlamaConfig.__name__)
print(sorted(dir(transformers)) == sorted(set(dir(transformers))), len(dir(transformers)))
"""


def test_a_command_remembers_it_whatever_it_needs_of_transformers_first(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("The pass key is 4711.", encoding="utf-8")
    program = (
        "import sys\nfrom infinipot_cli.startup.quick_imports import own_process\nown_process()\n"
        "from infinipot_cli.session import Session, ask\n"
        "Session().prepare([sys.argv[1]], ask('What is the pass key?'))\n"
        "print('torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "text")]
    environment = {**os.environ, "INFINIPOT_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["False"]
    assert (tmp_path / "cache" / "transformers.json").is_file()


@pytest.mark.slow
def test_transformers_is_the_same_when_it_is_remembered(tmp_path: Path) -> None:
    def said(how: str) -> str:
        words = [sys.executable, "-c", PROGRAM, how]
        environment = {**os.environ, "INFINIPOT_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
        return subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout

    plain = said("plain")
    assert not (tmp_path / "cache").exists()
    assert said("lean") == plain
    (kept,) = (tmp_path / "cache").iterdir()
    written = kept.stat().st_mtime_ns
    assert said("lean") == plain
    assert kept.stat().st_mtime_ns == written
