"""The prompts in `prompts/`: found in the installed package or in the checkout, and split where the document goes.

A document streams through the pot, so a prompt is never put together as one string: the part before `{document}` is
read first and protected, the part after it waits until the document has been read. The question is put in by plain
replacement; neither it nor a document ever acts as a format string.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infinipot_cli.errors import UsageError
from infinipot_cli.places import config_folder

DOCUMENT = "{document}"
QUESTION = "{question}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_ENDINGS = (".md", ".txt")  # of what is a file and no name


# The prompts that judge a full pot, by what the paper's Table 2 calls them and by what they are. Its texts are not in
# the version at hand, so those here are ours; P and U do not ask for what matters, G1 and G2 say G in other words.
CATALYSTS = {
    "question": "catalyst-question", "general": "catalyst-general", "p": "catalyst-p", "u": "catalyst-u",
    "g": "catalyst-general", "g1": "catalyst-g1", "g2": "catalyst-g2", "q": "catalyst-question",
}  # fmt: skip


@dataclass(frozen=True)
class Template:
    """One prompt, split at the place of the document.

    Attributes:
        before: text in front of the document.
        after: text behind the document; may hold `{question}`.
    """

    before: str
    after: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def wants_question(self) -> bool:
        """Whether there is a place for a question."""
        return QUESTION in self.after

    def ask(self, question: str) -> str:
        """The part behind the document with question and parameters put in, word for word and all at once."""
        return _put_in(self.after, {**self.parameters, "question": question})

    def filled(self, parameters: Mapping[str, str], name: str) -> "Template":
        """The template with values for the places it names itself.

        Args:
            parameters: by name.
            name: of the template, for messages.

        Raises:
            UsageError: a place stays empty, or a value has no place.
        """
        places = set(_PLACE.findall(self.before + self.after)) - {"question"}
        for parameter in parameters:
            if parameter not in places:
                known = ", ".join(sorted(places)) or "none"
                raise UsageError(f"the template {name} has no place {{{parameter}}}", hint=f"its places: {known}")
        for place in sorted(places):
            if place not in parameters:
                raise UsageError(f"the template {name} wants a value for {place}", hint=f"-p {place}=…")
        return Template(_put_in(self.before, parameters), self.after, parameters)


def _put_in(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def split_template(text: str, name: str) -> Template:
    """Split a prompt at `{document}`; one line end that closes the file is not part of the prompt.

    Raises:
        UsageError: the marker is missing or stands there twice, or the question's stands in front of it.
    """
    if text.count(DOCUMENT) != 1:
        raise UsageError(f"the prompt {name} must hold {DOCUMENT} exactly once, not {text.count(DOCUMENT)} times")
    before, after = text.removesuffix("\n").split(DOCUMENT)
    if QUESTION in before:  # which is read before any question may be known
        raise UsageError(f"{QUESTION} stands in front of {DOCUMENT} in {name}", hint=f"put it behind {DOCUMENT}")
    return Template(before, after)


def load_template(name: str) -> Template:
    """Read a prompt: one that comes with infinipot, one of the user's, or a file.

    Raises:
        UsageError: there is none, or it holds no place for the document.
    """
    return split_template(template_text(name), name)


def catalyst_name(word: str) -> str:
    """The prompt behind a name of `CATALYSTS`; another template or a file stands for itself.

    Raises:
        UsageError: there is none, or it says nothing.
    """
    name = CATALYSTS.get(word.lower(), word)
    if not load_catalyst(name).after.strip():
        raise UsageError(f"the catalyst {name} says nothing behind the document", code="no_template")
    return name


def is_question(word: str) -> bool:
    """Whether a catalyst is the question alone (the paper's CaP-Q)."""
    return CATALYSTS.get(word.lower(), word) == CATALYSTS["question"]


def load_catalyst(name: str) -> Template:
    """Read a prompt that judges a full pot; a file without a place for the document stands behind it.

    Raises:
        UsageError: there is none.
    """
    text = template_text(name)
    return split_template(text, name) if DOCUMENT in text else Template("", f"\n\n{text.strip()}")


def template_text(name: str) -> str:
    """The whole text of a prompt.

    Args:
        name: of a template that comes with infinipot or is the user's own, or a path that ends in `.md` or `.txt`.

    Raises:
        UsageError: there is none of that name, or it cannot be read.
    """
    path = template_file(name)
    if path is None:
        near = difflib.get_close_matches(name, sorted(_files()), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "infinipot templates list names those that are here"
        raise UsageError(f"there is no prompt named {name}", hint=hint, code="no_template")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"the template {path} cannot be read: {why}", code="no_template") from error


def template_file(name: str) -> Path | None:
    """The file that holds a prompt, as `template_text` takes its name; None if there is none."""
    return Path(name) if name.endswith(_ENDINGS) else _files().get(name)


def named_anywhere(name: str) -> str:
    """What names the same prompt in whatever folder."""
    return os.path.abspath(name) if name.endswith(_ENDINGS) else name


def template_names() -> dict[str, str]:
    """Every template by name, with the folder it comes from, or `built in`."""
    own = config_folder() / "templates"
    return {name: str(own) if path.parent == own else "built in" for name, path in _files().items()}


def is_built_in(name: str) -> bool:
    """Whether a template of this name comes with infinipot."""
    path = _files().get(name)
    return path is not None and path.parent != config_folder() / "templates"


def own_file(name: str) -> Path:
    """The file of a template of the user's own, whether it is there or not.

    Raises:
        UsageError: no template of the user's own can have this name.
    """
    own = config_folder() / "templates"
    if is_built_in(name):
        raise UsageError(
            f"{name} comes with infinipot and stays as it is", hint=f"infinipot templates edit my-{name} --from {name}"
        )
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a template", hint="letters, digits, '_' and '-'")
    return own / f"{name}.md"


def _files() -> dict[str, Path]:
    """Templates by name; a name that comes with infinipot always means the same."""
    package = Path(__file__).parent
    installed = package / "_prompts"
    ours = installed if installed.is_dir() else package.parent / "prompts"
    found: dict[str, Path] = {}
    for folder in (config_folder() / "templates", ours):
        found.update({path.stem: path for path in sorted(folder.glob("*.md"))})
    return found
