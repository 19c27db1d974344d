"""Which documents folders and globs stand for; git itself says what `.gitignore` means."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from infinipot_cli.documents import LateDocument, Wishes, collect, open_document
from infinipot_cli.errors import DocumentError, UsageError

TREE = {
    "a.txt": "a",
    "b.md": "b",
    "chapter-2.txt": "two",
    "chapter-10.txt": "ten",
    ".hidden.txt": "h",
    "debug.log": "l",
    "keep.log": "k",
    "empty.txt": "",
    "build/out.txt": "o",
    "sub/.gitignore": "*.tmp\n!debug.log\n/only-here.txt\n",
    "sub/debug.log": "l",
    "sub/x.tmp": "t",
    "sub/only-here.txt": "x",
    "sub/deep/only-here.txt": "x",
    "sub/deep/build/y.txt": "y",
    "sub/deep/über.txt": "ü",
    ".gitignore": "# rules\nbuild/\n*.log\n!keep.log\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    for name, text in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    monkeypatch.chdir(root)
    return root


def listed(word: str = ".", **wishes: object) -> set[str]:
    found = collect([word], Wishes(**wishes)).sources  # type: ignore[arg-type]
    return {str(Path(path)) for path in found}


@pytest.mark.parametrize("in_git", [True, False])
def test_what_git_would_ignore_is_left_out(tree: Path, in_git: bool) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    command = ["git", "-c", "core.quotePath=false", "ls-files", "--others", "--exclude-standard"]
    wanted = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
    readable = {name for name in wanted if TREE.get(name)}
    below = {name for name in readable if name.startswith("sub/")}
    if in_git:  # the rules of the folders above hold as well
        assert listed("sub", hidden=True) == below
        assert listed("sub/**", hidden=True) == below
    else:
        subprocess.run(["rm", "-r", ".git"], check=True)
    assert listed(hidden=True) == readable
    assert listed("**", hidden=True) == readable
    assert listed() == {name for name in readable if not Path(name).name.startswith(".")}
    everything = {name for name, text in TREE.items() if text}
    assert listed(hidden=True, no_ignore=True) == everything


def test_what_is_left_out_is_counted(tree: Path) -> None:
    (note,) = collect(["."]).notes
    read, left_out = note.split("; left out ")
    assert read == ".: 8 documents"
    # a folder counts as one, whatever is in it
    assert set(left_out.split(", ")) == {"3 hidden", "5 ignored", "1 empty", "1 binary"}


def test_of_links_and_folders_that_are_left_out_several_are_called_so(tree: Path) -> None:
    (tree / "one").symlink_to("nowhere")
    assert ", 1 broken link" in collect(["."]).notes[0]
    (tree / "two").symlink_to("nowhere")
    note = collect(["."]).notes[0]
    assert "2 broken links" in note and "3 hidden," in note


def test_a_folder_is_read_in_the_order_of_its_names(tree: Path) -> None:
    names = [Path(path).name for path in collect(["."], Wishes(endings=("txt",))).sources]
    assert names.index("chapter-2.txt") < names.index("chapter-10.txt")
    assert names[0] == "a.txt"


@pytest.mark.parametrize("endings", [("md,log",), ("md", "log"), (".MD", "*.log")])
def test_endings_choose(tree: Path, endings: tuple[str, ...]) -> None:
    assert listed(endings=endings) == {"b.md", "keep.log", "sub/debug.log"}
    (tree / "old.log.gz").write_bytes(b"\x1f\x8b" + bytes(20))
    assert "old.log.gz" in listed(endings=("log",)), "compressed files count by the name inside"
    assert "old.log.gz" in listed(endings=("gz",))


def test_globs_of_ones_own_leave_out(tree: Path) -> None:
    assert listed(ignore=("chapter*", "sub/")) == {"a.txt", "b.md", "keep.log"}
    assert listed(ignore=("*", "!*.md")) == {"b.md"}


@pytest.mark.parametrize(
    "rule", ["sub/deep/*.txt", "/sub/deep", "tree/sub/deep/*", "/tree/sub/deep", "deep/", "**/deep/*.txt"]
)
@pytest.mark.parametrize("word", ["tree", "tree/", "tree/**"])
def test_rules_of_ones_own_are_seen_from_the_folder_and_from_where_one_is(
    tree: Path, monkeypatch: pytest.MonkeyPatch, rule: str, word: str
) -> None:
    monkeypatch.chdir(tree.parent)
    everything = listed(word, endings=("txt",), no_ignore=True)
    left = listed(word, endings=("txt",), no_ignore=True, ignore=(rule,))
    files_alone = {"tree/sub/deep/build/y.txt"} if rule.endswith(".txt") else set()
    assert left == {name for name in everything if "/deep/" not in name} | files_alone != everything


def test_a_folder_that_is_named_is_read_whatever_the_rules_say_of_its_name(tree: Path) -> None:
    assert listed("sub", ignore=("sub", f"{tree}/sub/deep")) == {"sub/debug.log"}
    assert listed(str(tree / "sub"), ignore=("sub/",)) >= {str(tree / "sub/debug.log")}
    assert listed(ignore=("*.txt", "!sub/deep/ü*.txt", "*.md")) == {"keep.log", "sub/debug.log", "sub/deep/über.txt"}


def test_what_a_loader_of_ones_own_reads_is_a_document(tree: Path) -> None:
    (tree / "letter.odt").write_bytes(b"PK\x03\x04" + bytes(100))
    (tree / "void.odt").touch()
    loaders = (("odt", "cat $1"),)
    assert "letter.odt" in listed(loaders=loaders) and "void.odt" not in listed(loaders=loaders)
    assert listed(loaders=loaders, endings=("odt",)) == {"letter.odt"}
    assert "letter.odt" not in listed(loaders=loaders, type="text") | listed()


def test_a_file_that_is_named_is_read_whatever_it_is(tree: Path) -> None:
    words = ["debug.log", ".hidden.txt", "picture.png", "missing.txt", "-"]
    collected = collect(words, Wishes(endings=("md",)))
    assert collected.sources == tuple(words)
    assert not collected.found and not collected.notes


def test_the_same_document_comes_once(tree: Path) -> None:
    collected = collect(["a.txt", "*.txt", "chapter-2.txt"])
    assert collected.sources == ("a.txt", "chapter-2.txt", "chapter-10.txt")
    assert collected.found == {"chapter-2.txt", "chapter-10.txt"}


@pytest.mark.parametrize(
    "pattern", ["*.{md,txt}", "{*.md,[a-c]*.{txt,md}}", "**/{a,b,chapter-*}.{md,txt}", "{sub,.}/*.md"]
)
def test_braces_stand_for_alternatives_as_in_a_shell(tree: Path, pattern: str) -> None:
    shell = f"shopt -s globstar nullglob; printf '%s\\n' {pattern}"
    wanted = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout.splitlines()
    assert listed(pattern, no_ignore=True) == {str(Path(path)) for path in wanted if TREE[str(Path(path))]} != set()


def test_braces_without_a_choice_and_names_with_braces_are_letters(tree: Path) -> None:
    for name in ("{odd}.txt", "{a,b}.txt"):
        (tree / name).write_text("odd")
        assert collect([name]).sources == (name,)
    (tree / "{a,b}.txt").unlink()
    assert collect(["{a,b}.txt"]).sources == ("a.txt",)
    with pytest.raises(DocumentError):
        collect(["{x,y}.txt"])


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tree: Path) -> None:
    (tree / "what[1]?.txt").write_text("odd")
    assert collect(["what[1]?.txt"]).sources == ("what[1]?.txt",)


def test_links_do_not_make_a_walk_endless(tree: Path) -> None:
    before = listed()
    (tree / "sub" / "loop").symlink_to(tree, target_is_directory=True)
    assert listed() == before


def test_containers_and_weights_are_told_from_documents(tree: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tree / "sheet.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<a/>")
    header = b'{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}' + b" " * 2000 + b"}"
    (tree / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(9000))
    assert not listed() & {"sheet.xlsx", "model.safetensors"}


@pytest.mark.parametrize("word", ["sub/*.odt", "build", "."])
def test_nothing_found_says_why(tree: Path, word: str) -> None:
    wishes = Wishes() if word != "." else Wishes(endings=("pdf",))
    if word == "build":
        (tree / "build" / "out.txt").unlink()
    with pytest.raises(DocumentError) as caught:
        collect([word], wishes)
    assert caught.value.code == "no_documents"
    assert word != "." or "by --ext" in caught.value.message


def test_a_late_document_opens_when_it_is_read(tree: Path) -> None:
    late = LateDocument("missing.txt", Wishes(), may_fail=True)
    assert list(late.pieces()) == []
    assert late.failure is not None and late.failure.code == "not_found"
    with pytest.raises(DocumentError, match="does not exist") as refused:
        LateDocument("missing.txt", Wishes(), may_fail=False)
    assert refused.value.code == "not_found"
    late = LateDocument("a.txt", Wishes(), may_fail=False)
    (tree / "a.txt").write_text("later")
    assert "".join(piece.text for piece in late.pieces()) == "later"
    assert late.kind == "text"


def test_links_in_circles_end_and_broken_ones_are_counted(tree: Path) -> None:
    before = {word: listed(word) for word in (".", "**/*.txt", "sub/**", "**/deep/*.txt")}
    (tree / "self").symlink_to("self")
    (tree / "nowhere.txt").symlink_to("gone.txt")
    for name in ("L1", "sub/L2", "sub/deep/L3"):
        (tree / name).symlink_to(tree)
    assert {word: listed(word) for word in before} == before
    assert listed("L1") == {f"L1/{path}" for path in before["."]}, "one that is named is followed"
    for word, n_broken in ((".", 2), ("*.txt", 1), ("**", 2)):
        (note,) = collect([word], Wishes()).notes
        assert f"{n_broken} broken link" in note
    with pytest.raises(DocumentError) as refused, open_document("nowhere.txt"):
        pass
    assert refused.value.hint == "it is a link to something that is not there"


def test_what_is_said_of_texts_makes_no_text_of_a_picture(tree: Path) -> None:
    before = listed()
    assert listed(encoding="cp1252") == listed(type="text") == before
    (tree / "wide.txt").write_bytes("Привет".encode("utf-16-le"))
    assert "wide.txt" in listed(encoding="utf-16-le")


def test_a_folder_that_is_named_is_read_though_its_parent_ignores_it(tree: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    assert "build/out.txt" not in listed()
    assert listed("build") == {"build/out.txt"}
    assert "sub/debug.log" in listed("sub") and "sub/deep/build/y.txt" not in listed("sub")


def test_a_question_that_was_taken_for_a_glob_is_told(tree: Path) -> None:
    with pytest.raises(DocumentError) as refused:
        collect(["Who?"], Wishes())
    assert "question" in refused.value.hint


@pytest.mark.parametrize("text", ["\n", " \t\r\n\n", "\ufeff\n"])
def test_blank_files_of_a_folder_are_left_out_as_empty_ones(tree: Path, text: str) -> None:
    Path("sub/__init__.py").write_text(text, encoding="utf-8")
    Path("sub/late.py").write_text("\n" * 5000 + "x = 1\n", encoding="utf-8")
    found = collect(["."])
    assert "./sub/__init__.py" not in found.sources and "./sub/late.py" in found.sources
    assert "2 empty" in found.notes[0]
    assert collect(["sub/__init__.py"]).sources == ("sub/__init__.py",)


def test_a_mark_in_front_of_the_rules_is_none_of_them(tree: Path) -> None:
    rules = TREE[".gitignore"].removeprefix("# rules\n")
    expected = listed()
    Path(".gitignore").write_text(rules, encoding="utf-8-sig")
    assert "build/out.txt" not in listed() and listed() == expected


@pytest.mark.filterwarnings("error")
def test_a_line_that_is_no_rule_says_nothing_as_for_git(tree: Path) -> None:
    before = listed(), listed("**")
    with Path(".gitignore").open("a") as rules:
        rules.write("chapter\\\n!\n[z-a]\n\\\n[[:alpha\n[[x]\n")
    subprocess.run(["git", "init", "-q"], check=True)
    command = ["git", "-c", "core.quotePath=false", "ls-files", "--others", "--exclude-standard"]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    shown = {name for name in wanted if TREE.get(name) and not Path(name).name.startswith(".")}
    assert before == (listed(), listed("**")) == (shown, shown)


@pytest.mark.parametrize("pattern", ["bin\\", "!", "[z-a]"])
def test_what_is_no_rule_is_refused_where_the_user_says_it(tree: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="is no pattern"):
        Wishes(ignore=("*.md", pattern))


@pytest.mark.parametrize("word", [".", "*", "**", "sub/**/*.txt"])
def test_rules_that_do_not_count_are_not_read(tree: Path, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", None)
    assert listed(word, no_ignore=True)


def test_a_pipe_or_a_socket_in_the_midst_is_no_document(tree: Path) -> None:
    before = {word: listed(word) for word in (".", "*", "**", "sub/**/*.txt")}
    os.mkfifo("sub/pipe.txt")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("sub/socket.txt")
        assert {word: listed(word) for word in before} == before
