"""Folders and globs become lists of documents, as users of ripgrep expect.

Hidden files, files that `.gitignore` names and files that are no text are left out and counted; a file that the user
names is read whatever its name. Links to folders are not followed, so no walk is endless.
"""

import codecs
import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infinipot_cli.documents.loaders import loader_of
from infinipot_cli.documents.packed import compression
from infinipot_cli.documents.sniff import HEAD_BYTES, PACKED_ENDINGS, recognise
from infinipot_cli.documents.source import open_source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.errors import DocumentError

if TYPE_CHECKING:
    from infinipot_cli.documents.gitignore import Rules

STDIN = "-"
# Of what is left out, that which has a plural.
_NOUNS = frozenset({"broken link", "unreadable folder"})


@dataclass(frozen=True)
class Collected:
    """The documents behind the words of a command line.

    Attributes:
        sources: paths, or `-`, in the order of the words; what a folder holds in the order of its names.
        found: those that no word named: they were found in a folder or by a glob.
        notes: what was left out, one line for each folder or glob.
    """

    sources: tuple[str, ...]
    found: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def collect(words: Sequence[str], wishes: Wishes = Wishes()) -> Collected:  # noqa: B008  (frozen)
    """Find the documents that words stand for.

    Args:
        words: files, folders, globs, or `-`; a word that is none of these stays as it is, for the opening to refuse.
        wishes: which files of folders and globs count.

    Raises:
        DocumentError: a folder or glob holds no document.
    """
    sources: dict[str, None] = {}
    found: set[str] = set()
    notes: list[str] = []
    for word in words:
        if not _is_folder(word) and not _is_glob(word):
            sources[word] = None
            continue
        search = _Search(wishes)
        here = list(search.folder(word) if _is_folder(word) else search.glob(word))
        if not here:
            raise _nothing(word, search.left_out)
        found.update(path for path in here if path not in sources)
        sources.update(dict.fromkeys(here))
        notes.append(f"{word}: {len(here)} document{'s' * (len(here) != 1)}{_left_out(search.left_out, '; left out ')}")
    return Collected(tuple(sources), frozenset(found), tuple(notes))


class _Search:
    """One look through a folder or a glob; counts what it leaves out, by reason."""

    def __init__(self, wishes: Wishes) -> None:
        from infinipot_cli.documents.gitignore import Rules

        self.left_out: Counter[str] = Counter()
        self._endings = wishes.wanted_endings
        self._hidden = wishes.hidden
        self._honours = not wishes.no_ignore
        self._ignore = wishes.ignore
        self._unwanted = Rules()
        self._loaders = wishes.loaders if wishes.type is None else ()
        # what else an encoding or a type says holds for files that somebody names
        self._is_text = _has_zeros(wishes.encoding)

    def folder(self, folder: str) -> Iterator[str]:
        """The documents below a folder."""
        from infinipot_cli.documents.gitignore import Rules

        self._unwanted = Rules.of_lines(self._ignore, folder)
        # who names a folder wants what is in it, as who names a file
        yield from self._below(folder, Rules.above(folder).without(folder) if self._honours else Rules())

    def glob(self, pattern: str) -> Iterator[str]:
        """The documents that match a pattern; `**` reaches into folders, other folders are walked."""
        from infinipot_cli.documents.gitignore import Rules, fixed_folder, rules_for

        if (alternatives := _alternatives(pattern)) != [pattern]:
            yield from dict.fromkeys(path for one in alternatives for path in self.glob(one))
            return
        recursive = "**" in pattern
        top = fixed_folder(pattern)
        self._unwanted = Rules.of_lines(self._ignore, top)
        known = {top: Rules.above(top).without(top).with_folder(top)} if self._honours else {}

        def rules_of(path: str) -> Rules:
            return rules_for(os.path.dirname(path), known) if self._honours else Rules()

        for path in sorted(set(_matching(pattern, hidden=self._hidden)), key=_natural):
            if not os.path.exists(path):
                self.left_out["broken link"] += 1
            elif os.path.isdir(path):
                if not recursive:
                    yield from self._matched(path, rules_of(path))
            elif ".git" in path.split(os.sep) or rules_of(path).ignore(path):
                self.left_out["ignored"] += 1
            elif os.path.isfile(path) and self._is_wanted(path):  # a pipe or a socket is no file
                yield path

    def _matched(self, folder: str, rules: "Rules") -> Iterator[str]:
        """The documents below a folder that a pattern matches, which nobody has named."""
        if rules.ignore(folder, is_folder=True):
            self.left_out["ignored"] += 1
        else:
            yield from self._below(folder, rules)

    def _below(self, folder: str, rules: "Rules") -> Iterator[str]:
        if self._honours:
            rules = rules.with_folder(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: _natural(entry.name))
        except OSError:
            self.left_out["unreadable folder"] += 1
            return
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name.startswith(".") and not self._hidden:
                self.left_out["hidden"] += 1
            elif entry.name == ".git" or rules.ignore(entry.path, is_folder=is_folder):
                self.left_out["ignored"] += 1
            elif is_folder:
                if self._unwanted.ignore(entry.path, is_folder=True):
                    self.left_out["by --ignore"] += 1
                else:
                    yield from self._below(entry.path, rules)
            elif not os.path.exists(entry.path):
                self.left_out["broken link"] += 1
            elif entry.is_file() and self._is_wanted(entry.path):
                yield entry.path

    def _is_wanted(self, path: str) -> bool:
        reason = self._reason_against(path)
        if reason:
            self.left_out[reason] += 1
        return not reason

    def _reason_against(self, path: str) -> str:
        if self._unwanted.ignore(path):
            return "by --ignore"
        if self._endings and not any(name.endswith(self._endings) for name in _names(path)):
            return "by --ext"
        try:
            with open(path, "rb") as file:
                head = file.read(HEAD_BYTES)
            is_ours = not loader_of(path, self._loaders)  # what others turn into text may look like anything
            if is_ours and head and not compression(head) and recognise(head, path, is_text=self._is_text) == "zip":
                _check_zip(path)
        except OSError:
            return ""  # whoever opens it says why it cannot be read
        except DocumentError:
            return "binary"
        is_blank = len(head) < HEAD_BYTES and not head.removeprefix(codecs.BOM_UTF8).strip()
        return "empty" if is_blank else ""


def _has_zeros(encoding: str | None) -> bool:
    """Whether texts in an encoding hold the zero bytes that others never hold."""
    return encoding is not None and codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def _matching(pattern: str, *, hidden: bool) -> Iterator[str]:
    """The paths that match; `**` stands for any number of folders, and never for a link to one."""
    parts = pattern.split(os.sep)
    if "**" not in parts:
        yield from glob.glob(pattern, include_hidden=hidden)
        return
    place = parts.index("**")
    head, tail = os.sep.join(parts[:place]), os.sep.join(parts[place + 1 :])
    top = f"{head}{os.sep}" if place else ""
    for base in glob.glob(top, include_hidden=hidden) if top else [""]:
        for folder, folders, files in os.walk(base or os.curdir):
            folders[:] = [name for name in folders if hidden or not name.startswith(".")]
            here = os.path.join(folder, "") if base else os.path.join(folder, "").removeprefix(f"{os.curdir}{os.sep}")
            if tail or pattern.endswith(os.sep):
                yield from _matching(glob.escape(here) + tail, hidden=hidden)
            else:
                yield from (here + name for name in [*folders, *files] if hidden or not name.startswith("."))


def _check_zip(path: str) -> None:
    from infinipot_cli.documents.zipped import Container

    source = open_source(path)
    try:
        Container(source).kind()
    finally:
        source.close()


def _is_folder(word: str) -> bool:
    return word != STDIN and os.path.isdir(word)


def _is_glob(word: str) -> bool:
    return (glob.has_magic(word) or _alternatives(word) != [word]) and not os.path.lexists(word)


def _alternatives(pattern: str) -> list[str]:
    """What `{a,b}` in a pattern stands for, as in a shell: a pattern for each; braces without a comma are letters."""
    for match in re.finditer(r"\{([^{}]*,[^{}]*)\}", pattern):
        before, after = pattern[: match.start()], pattern[match.end() :]
        return [one for word in match[1].split(",") for one in _alternatives(f"{before}{word}{after}")]
    return [pattern]


def _names(path: str) -> set[str]:
    """The name of a file in small letters, with and without the ending of its compression."""
    name = os.path.basename(path).lower()
    return {name, *(name.removesuffix(ending) for ending in PACKED_ENDINGS)}


def _natural(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts chapter-10 behind chapter-9."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name)]


def _left_out(counts: Counter[str], words: str) -> str:
    listed = ", ".join(f"{count} {reason}{'s' * (count != 1 and reason in _NOUNS)}" for reason, count in counts.items())
    return words + listed if listed else ""


def _nothing(word: str, left_out: Counter[str]) -> DocumentError:
    if _is_folder(word):
        message, hint = f"the folder {word} holds no documents", "--hidden, --no-ignore and -e say what counts"
    else:
        message, hint = f"no document matches {word}", "check the path; ** reaches into folders"
        if word.endswith("?"):
            hint = "a question stands last and alone, or each of several behind -Q"
    return DocumentError(message + _left_out(left_out, ": left out "), hint=hint, code="no_documents")
