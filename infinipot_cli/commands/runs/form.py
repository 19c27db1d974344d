"""How a reply is given: everything about output that the commands which answer have in common."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from infinipot_cli.commands.options.run import RunOptions
from infinipot_cli.commands.runs.caching import CacheOptions
from infinipot_cli.commands.runs.consent import ConsentOptions
from infinipot_cli.display.output_file import check_named, check_output
from infinipot_cli.errors import UsageError
from infinipot_cli.pins import Pins
from infinipot_cli.pots.shelf import check_target
from infinipot_cli.settings import DEFAULT_MODEL, Color, Entries
from infinipot_cli.templates import template_file

# Where the answer goes by itself, as many programs call it.
STDOUT = "-"


@dataclass(frozen=True)
class Form:
    """How a reply is given.

    Attributes:
        json: one JSON document instead of text.
        jsonl: one JSON document a line, for each answer.
        quiet: nothing but answer and errors.
        color: when to use colour on standard error.
        output: a file instead of standard output, which `-` stands for.
        model_was_chosen: whether anybody named a model; if not, a last line says how to name a larger one.
        strict: whether a warning about a document makes the run fail.
        digest: whether a log's digest stands in front of the answer.
        consent: whether a missing model may be offered for download.
        save_pot: name under which what was read is stored.
        every: seconds of reading after which it is stored once more; None only at the end.
        entries: how its keys and values are written; None as in the pot that is read on.
        answers: whether anything is answered.
        pins: what no distillation may drop.
        cite: whether the sources are said.
        found: documents that nobody has named, beside those that are found now.
        run: what of the run is done, recorded and drawn.
        explain: whether the report on the answer follows.
        html: a file for the whole report on the answer.
        verify: whether the sources are read again and asked again.
        page: pages or lines whose text the report shows.
        announce: whether a document is announced by its name even if it is alone.
        cache: whether what is read is kept unasked; None where that makes no sense.
        inputs: files that are read besides the documents.
        picked: sentences of the text that stand for an answer in the model's words; 0 for the model's words.
    """

    json: bool = False
    jsonl: bool = False
    quiet: bool = False
    color: Color = Color.AUTO
    output: str | None = None
    model_was_chosen: bool = True
    strict: bool = False
    digest: bool = False
    consent: ConsentOptions = ConsentOptions()  # noqa: RUF009  (frozen)
    save_pot: str | None = None
    every: float | None = None
    entries: Entries | None = None
    answers: bool = True
    pins: Pins = field(default_factory=Pins)
    cite: bool = True
    found: frozenset[str] = frozenset()
    run: RunOptions = RunOptions()  # noqa: RUF009  (frozen)
    explain: bool = False
    html: str | None = None
    verify: bool = False
    page: str | None = None
    announce: bool = False
    cache: CacheOptions | None = None
    inputs: Sequence[str] = ()
    picked: int = 0

    @property
    def is_json(self) -> bool:
        """Whether answers are JSON instead of text."""
        return self.json or self.jsonl

    @property
    def watch(self) -> bool:
        """Whether what an answer attends to is of use."""
        return self.cite or self.reports or self.verify or self.picked > 0

    @property
    def reports(self) -> bool:
        """Whether a report on the answer is made."""
        return self.shows or self.html is not None

    @property
    def shows(self) -> bool:
        """Whether any of it is shown beside the answer."""
        return self.explain or self.page is not None

    def __post_init__(self) -> None:
        if self.json and self.jsonl:
            raise UsageError("--json and --jsonl cannot go together", hint="--jsonl prints one document a line")
        if self.save_pot is not None:
            check_target(self.save_pot)  # a place that no pot can have is a mistake before anything is read
        if self.output == STDOUT:
            object.__setattr__(self, "output", None)
        for path, option in ((self.output, "-o"), (self.html, "--html")):
            if path is not None:
                check_named(path, option)
        if self.html is not None:
            check_output(self.html)


def files_besides(model: str, *, prompts: Iterable[str | None] = (), others: Iterable[str | None] = ()) -> list[str]:
    """The files that a run reads besides its documents, which nothing may be written over.

    Args:
        model: its name, which may be that of a file.
        prompts: names or files of templates and catalysts; None where there is none.
        others: further files, likewise.
    """
    files = [str(file) for name in prompts if name is not None and (file := template_file(name)) is not None]
    of_model = [] if model == DEFAULT_MODEL else [os.path.expanduser(model)]
    return [*files, *of_model, *(path for path in others if path is not None)]
