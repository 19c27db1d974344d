"""The prompts in `prompts/`: found in the installed package or in the checkout, and split where the document goes.

A document streams through the pot, so a prompt is never put together as one string: the part before `{document}` is
read first and protected, the part after it waits until the document has been read. The question is put in by plain
replacement; neither it nor a document ever acts as a format string.
"""

from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.errors import UsageError

DOCUMENT = "{document}"
QUESTION = "{question}"


@dataclass(frozen=True)
class Template:
    """One prompt, split at the place of the document.

    Attributes:
        before: text in front of the document.
        after: text behind the document; may hold `{question}`.
    """

    before: str
    after: str

    def ask(self, question: str) -> str:
        """The part behind the document with the question put in, word for word."""
        return self.after.replace(QUESTION, question)


def split_template(text: str, name: str) -> Template:
    """Split a prompt at `{document}`; one line end that closes the file is not part of the prompt.

    Raises:
        UsageError: the marker is missing or stands there twice.
    """
    if text.count(DOCUMENT) != 1:
        raise UsageError(f"the prompt {name} must hold {DOCUMENT} exactly once, not {text.count(DOCUMENT)} times")
    before, after = text.removesuffix("\n").split(DOCUMENT)
    return Template(before, after)


def load_template(name: str) -> Template:
    """Read one of the prompts that come with infinipot, such as `ask` or `catalyst-question`."""
    package = Path(__file__).parent
    for folder in (package / "_prompts", package.parent / "prompts"):
        path = folder / f"{name}.md"
        if path.is_file():
            return split_template(path.read_text(encoding="utf-8"), name)
    raise UsageError(f"there is no prompt named {name}")
