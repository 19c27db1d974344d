"""What is asked and how: questions, `--template`, `--system` and `-p`, put together as one task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infinipot_cli.errors import UsageError
from infinipot_cli.settings import Length

if TYPE_CHECKING:  # the plan brings tokenizers with it, and help must stay fast
    from infinipot_cli.plan import Task


@dataclass(frozen=True)
class Wording:
    """What the user wants said beside the document.

    Attributes:
        template: name or file, None for the command's own.
        system: instruction in front of everything.
        parameters: values for the places of the template, `name=value` each.
        templates: those of the settings, by name.
    """

    template: str | None
    system: str | None
    parameters: Sequence[str]
    templates: Mapping[str, Mapping[str, Any]]

    @property
    def _settings(self) -> Mapping[str, Any]:
        """What the settings say of the template; nothing where it is a file.

        Raises:
            UsageError: its name is one of those that always mean the same.
        """
        if self.template is None or self.template not in self.templates:
            return {}
        from infinipot_cli.templates import is_built_in

        if is_built_in(self.template):
            problem = f"the template {self.template} comes with infinipot, and the settings hold another of that name"
            raise UsageError(problem, hint="give that one another name: infinipot config path names the file")
        return self.templates[self.template]

    @property
    def brings_its_length(self) -> bool:
        """Whether the settings say how long answers to this template are."""
        return "max_tokens" in self._settings

    @property
    def brings_its_question(self) -> bool:
        """Whether the template says what to do, so that no question is wanted."""
        if self.template is None:
            return False
        if self._settings:
            return "question" in self._settings
        from infinipot_cli.templates import load_template

        return not load_template(self.template).wants_question

    def ask(self, questions: Sequence[str]) -> "Task":
        """The task of answering questions; the template's own where it brings one."""
        from infinipot_cli import session

        if not self.brings_its_question:
            task = session.ask_all(questions)
        elif self._settings:
            task = session.ask_all([str(self._settings["question"])])
        else:
            task = replace(session.ask_all([str(self.template)]), question="")
        if self.template is not None and not self._settings:
            # what is asked after the document is what judges its entries
            task = replace(task, template=self.template, catalyst=self.template)
        return self._dressed(task)

    def summarize(self, length: Length) -> "Task":
        """The task of a summary; a template of one's own says how it shall be."""
        from infinipot_cli import session

        task = session.summarize(length)
        if self.template is not None:
            if self._settings or not self.brings_its_question:
                raise UsageError(f"the template {self.template} wants a question", hint="infinipot ask -t takes it")
            task = replace(task, template=self.template)
        return self._dressed(task)

    def again(self, task: "Task") -> "Task":
        """A task of before, with what of it is worded otherwise now."""
        system = task.system if self.system is None else self.system.strip()
        return replace(task, system=system, parameters=tuple({**dict(task.parameters), **self._values}.items()))

    @property
    def _values(self) -> dict[str, str]:
        """Of the parameters, by name."""
        pairs = [parameter.partition("=") for parameter in self.parameters]
        for name, equals, _ in pairs:
            if not equals or not name:
                raise UsageError(f"{name!r} is no parameter", hint="-p name=value")
        return {name: value for name, _, value in pairs}

    def _dressed(self, task: "Task") -> "Task":
        system = self.system if self.system is not None else self._settings.get("system", "")
        return replace(
            task,
            system=str(system).strip(),
            parameters=tuple(self._values.items()),
            max_tokens=int(self._settings.get("max_tokens", task.max_tokens)),
        )
