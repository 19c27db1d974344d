"""Who may import whom: the arrows of the program as one dictionary, lazy imports included."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import infinipot_cli

PACKAGE = Path(infinipot_cli.__file__).parent

# A part (folder or module of the package) and what it may import of ours.
ARROWS = {
    "errors": set(),
    "progress": set(),
    "stop": {"endings"},
    "startup": {"places", "endings"},
    "settings": {"choice", "policies", "errors"},
    "places": set(),
    "speed": {"places"},
    "history": {"places", "errors"},
    "stopped": {"pins", "templates", "resume", "session", "reading", "plan", "pots", "documents", "places", "errors"},
    "config": {"places", "settings", "errors"},
    "templates": {"places", "errors"},
    "documents": {"errors"},
    "tokens": {"documents.piece"},
    "model": {"settings", "startup", "endings", "errors"},
    "engine": {"model", "choice", "policies", "errors"},
    "choice": {"errors"},
    "policies": {"choice", "errors"},
    "conversation": {"engine", "reading", "session", "sources", "progress", "errors"},
    "pins": {"documents.piece", "documents.ranges", "errors"},
    "plan": {"settings", "choice", "policies", "templates", "tokens", "errors"},
    "logs": {"documents.piece"},
    "sources": {"documents", "logs"},
    "explain": {"documents.piece", "tokens.stream", "tokens.tokenizer", "engine", "errors"},
    "answers": {"explain", "tokens", "engine", "model", "plan", "settings", "sources"},
    "reading": {
        "answers",
        "explain",
        "pins",
        "sources",
        "stop",
        "tokens",
        "engine",
        "model",
        "plan",
        "progress",
        "settings",
        "errors",
    },
    "session": {
        "startup",
        "endings",
        "documents",
        "sources",
        "tokens",
        "model",
        "reading",
        "plan",
        "settings",
        "templates",
        "errors",
    },
    "pots": {"engine", "model.files", "choice", "policies", "places", "errors"},
    "stored_documents": {"reading", "explain", "pots", "documents", "sources", "errors"},
    "resume": {
        *(
            "stored_documents",
            "startup",
            "session",
            "reading",
            "explain",
            "pots",
            "engine",
            "sources",
            "plan",
            "choice",
            "policies",
            "settings",
            "errors",
        ),
    },
    "cached": {
        *("resume", "session", "reading", "plan", "policies", "pots", "documents", "places", "settings", "errors"),
        *("stored_documents", "__version__"),
    },
    "bench": {
        *("choice", "policies", "explain", "session", "plan", "templates", "documents", "logs", "tokens"),
        *("engine", "model", "places", "reading", "resume", "settings", "errors", "__version__"),
    },
    "display": {
        "bench.record",
        "bench.ageing_record",
        "bench.cost_record",
        "bench.needle_record",
        "bench.ruler.record",
        "explain",
        "bench.pocket_record",
        "bench.hitrate_record",
        "bench.longbench_record",
        "bench.citation_record",
        "documents.ranges",
        "logs",
        "progress",
        "settings",
        "endings",
        "places",
        "errors",
    },
    "commands": {
        *(
            "choice",
            "policies",
            "pots",
            "resume",
            "stopped",
            "stored_documents",
            "cached",
            "conversation",
            "history",
            "pins",
            "sources",
            "session",
            "explain",
            "reading",
            "plan",
            "model.catalog",
            "model.download",
            "model.footprint",
            "model.inventory",
            "model.load",
            "templates",
        ),
        *("display", "bench", "documents", "logs", "config", "places", "speed", "settings", "endings", "errors"),
        "__version__",
    },
    "app": {"commands", "display", "config", "endings", "settings", "errors", "__version__"},
    "__main__": {"app", "endings", "startup", "__version__"},
    "endings": set(),
    "recipe": {"session", "bench", "policies", "settings"},
    "__init__": set(),
}

# A library and the parts that may import it.
LIBRARIES = {
    "rich": {"display"},
    "typer": {"app", "commands"},
    "torch": {"model", "engine", "pots", "explain", "bench", "recipe"},
    "transformers": {"model", "engine", "bench", "recipe"},
    "safetensors": {"model", "pots", "recipe"},
    "jieba": {"bench"},
    "matplotlib": {"bench"},
    "tokenizers": {"tokens", "recipe"},
    "tiktoken": {"tokens"},
    "huggingface_hub": {"model"},
    "pypdf": {"documents"},
    "pypdfium2": {"documents"},
    "charset_normalizer": {"documents"},
    "defusedxml": {"documents"},
    "backports": {"documents"},
    "pathspec": {"documents"},
}


def parts() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").parts[0], path


def imported(path: Path) -> Iterator[str]:
    """Every dotted name that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_part_of_the_package_has_its_arrows() -> None:
    assert {part for part, _ in parts()} <= set(ARROWS)


def test_every_part_has_its_place_in_the_tour() -> None:
    tour = (Path(__file__).parent.parent / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = {f"`{part}/`" if (PACKAGE / part).is_dir() else f"`{part}.py`" for part, _ in parts()}
    assert {name for name in names if name not in tour} <= {"`__init__.py`", "`__main__.py`"}


def test_imports_follow_the_arrows() -> None:
    wrong = []
    for part, path in parts():
        for name in imported(path):
            if not name.startswith("infinipot_cli."):
                continue
            target = name.removeprefix("infinipot_cli.")
            allowed = ARROWS[part] | {part}
            if not any(target == arrow or target.startswith(arrow + ".") for arrow in allowed):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {target}")
    assert wrong == []


def test_libraries_stay_where_they_belong() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for part, path in parts()
        for name in imported(path)
        if part not in LIBRARIES.get(name.split(".")[0], {part})
    ]
    assert wrong == []


def test_no_arrow_is_wider_than_what_is_imported() -> None:
    arrows = {(part, arrow) for part, allowed in ARROWS.items() for arrow in allowed}
    libraries = {(part, library) for library, allowed in LIBRARIES.items() for part in allowed}
    for part, path in parts():
        for name in imported(path):
            target = name.removeprefix("infinipot_cli.")
            arrows -= {(part, arrow) for arrow in ARROWS[part] if f"{target}.".startswith(f"{arrow}.")}
            libraries.discard((part, name.split(".")[0]))
    assert arrows == set() == libraries


def loaded_by(*words: str, stdin: str | None = None) -> set[str]:
    """Run a command in a process of its own and name the modules it had imported when it ended."""
    code = (
        "import sys\nfrom infinipot_cli.__main__ import main\n"
        f"sys.argv = ['infinipot', *{list(words)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, input=stdin or "", check=True)
    return set(done.stderr.splitlines())


HEAVY = {
    "sqlite3",
    "torch",
    "transformers",
    "pypdf",
    "tiktoken",
    "tokenizers",
    "huggingface_hub",
    "numpy",
    "charset_normalizer",
}


def test_help_and_version_import_nothing_heavy() -> None:
    for words in (["--version"], ["--help"], ["ask", "--help"], ["models", "-h"], ["bench", "needle", "-h"]):
        assert not loaded_by(*words) & HEAVY, words
    assert "rich" not in loaded_by("--version")


def test_a_bad_document_is_answered_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    for words in (
        ["ask", str(tmp_path / "missing.txt"), "who?"],
        ["ask", str(tmp_path), "who?"],
        ["ask", str(tmp_path / "empty.txt"), "who?"],
        ["ask", str(tmp_path / "empty.txt"), ""],
        ["ask", str(tmp_path / "empty.txt"), "who?", "-s", "10"],
    ):
        assert not loaded_by(*words) & {"torch", "transformers"}, words


def test_a_prompt_that_cannot_fit_is_answered_before_torch_is_imported(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "text.txt").write_text("Some text.")
    for words in (["who? " * 200], ["who?", "-s", "1024"]):
        assert "torch" not in loaded_by("ask", str(tmp_path / "text.txt"), *words, "-m", str(tiny_model)), words


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports them by their bare names, and the second would be taken for the first."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names))
