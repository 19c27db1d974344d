"""What `.gitignore` files leave out, by git's own rules: the deepest file that says something about a path decides."""

import glob
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec

from infinipot_cli.errors import UsageError

IGNORE_FILE = ".gitignore"


@dataclass(frozen=True)
class Rules:
    """The rules that hold for a folder.

    Attributes:
        layers: the folder of each set of rules, absolute, and the rules; the deepest last.
    """

    layers: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    @classmethod
    def of_lines(cls, lines: Iterable[str], folder: str = "") -> "Rules":
        """Rules as the user writes them for what is below a folder: seen from there, or from where the user is.

        The folder itself is wanted, whatever they say of its name. A full path may be written, too.

        Raises:
            UsageError: one of them is no rule.
        """
        rules = cls()
        for line in lines:
            made = _patterns(line)
            if made is None:
                raise UsageError(f"{line!r} is no pattern of .gitignore", hint="such as --ignore '*.min.js'")
            spec = GitIgnoreSpec(made)
            outside = cls((("", spec), (os.getcwd(), spec))).without(folder)
            rules = cls((*rules.layers, *outside.layers, (os.path.abspath(folder), spec)))  # the last line decides
        return rules

    @classmethod
    def above(cls, folder: str) -> "Rules":
        """The rules of the folders above one, up to the root of its git repository; none outside of one."""
        here = Path(os.path.abspath(folder))
        chain = [here, *here.parents]
        root = next((number for number, path in enumerate(chain) if (path / ".git").exists()), 0)
        rules = cls()
        for path in reversed(chain[1 : root + 1]):
            rules = rules.with_folder(str(path))
        return rules

    def with_folder(self, folder: str) -> "Rules":
        """These rules and those that a folder adds for what is in it; lines that are none say nothing, as for git."""
        try:
            text = Path(folder, IGNORE_FILE).read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return self
        patterns = [one for line in text.splitlines() for one in _patterns(line) or ()]
        return Rules((*self.layers, (os.path.abspath(folder), GitIgnoreSpec(patterns))))

    def without(self, folder: str) -> "Rules":
        """These rules but those that leave a folder itself out."""
        whole = os.path.abspath(folder)
        layers = []
        for root, spec in self.layers:
            name = os.path.relpath(whole, root or os.sep) + "/"
            layers.append((root, GitIgnoreSpec([one for one in spec.patterns if one.match_file(name) is None])))
        return Rules(tuple(layers))

    def ignore(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether a path is left out; that a folder above it is, the caller has seen before."""
        whole = os.path.abspath(path)
        for folder, spec in reversed(self.layers):
            name = os.path.relpath(whole, folder or os.sep) + ("/" if is_folder else "")
            verdict = spec.check_file(name).include
            if verdict is not None:
                return verdict
        return False


def _patterns(line: str) -> Sequence[Any] | None:
    """What a line of rules stands for, nothing if it is blank; None where it makes no sense, such as `[z-a]`."""
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of brackets inside brackets
            return GitIgnoreSpec.from_lines([line]).patterns
    except (ValueError, re.error):
        return None


def rules_for(folder: str, known: dict[str, Rules]) -> Rules:
    """The rules of a folder from those of the folders above it, which are remembered.

    Args:
        folder: below one that is known.
        known: rules by folder; grows.
    """
    if folder not in known:
        known[folder] = rules_for(os.path.dirname(folder), known).with_folder(folder)
    return known[folder]


def fixed_folder(pattern: str) -> str:
    """The folder in front of the first part of a glob that is no plain name, as the paths it finds begin."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder
