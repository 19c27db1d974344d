"""What a run says about itself beside its answer: what is read, and how."""

import time
from typing import TYPE_CHECKING

import typer

from infinipot_cli.display.console import error_console, say
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.summary import age, counted, duration, few_of, grouped, size
from infinipot_cli.errors import DocumentError
from infinipot_cli.plan import Plan, Task
from infinipot_cli.policies import DEFAULT, distills, label, listed
from infinipot_cli.pots.originals import fate_of
from infinipot_cli.reading import Reading
from infinipot_cli.resume import header_of
from infinipot_cli.settings import Color
from infinipot_cli.templates import is_question

if TYPE_CHECKING:
    from infinipot_cli.display.console import Console
    from infinipot_cli.model.load import LoadedModel

# Less than this of a document's tokens kept is worth a warning.
LOW_RETENTION = 0.01


def pot_line(plan: Plan) -> str:
    """The pot that is about to be filled, and what its policy does when it is full."""
    here, places = listed(plan.policy), f"pot of {grouped(plan.capacity)} places"
    if plan.policy == DEFAULT and not plan.policy_settings:
        return f"{places}, {grouped(plan.budget)} kept when it is full"
    name = label(plan.policy, plan.policy_settings)
    if not here.is_bounded:
        return f"{name}: {here.summary}; its memory grows with the document"
    if distills(plan.policy, plan.policy_settings):
        return f"{places}, {grouped(plan.budget)} kept when it is full by {name}: {here.summary}"
    return f"{places} kept by {name}: {here.summary}"


def work_line(reading: Reading, n_answer: int, *, kept_as: str = "", says_peak: bool = False) -> str:
    """What the run took: time, distillations, the pot.

    Args:
        reading: that was answered from, or only read.
        n_answer: tokens of all answers.
        kept_as: how the reading is asked again, where it is kept unasked.
        says_peak: whether the most entries ever held are told.
    """
    timing, said = reading.timing, list[str]()
    if reading.n_fresh:
        speed = reading.n_fresh / timing.read_seconds if timing.read_seconds else 0.0
        said.append(f"reading {duration(timing.read_seconds)} ({grouped(round(speed))} tok/s)")
    if reading.pot.n_cycles:
        said.append(counted(reading.pot.n_cycles, "distillation"))
    if reading.n_reread:
        said.append(f"{counted(reading.n_reread, 'token')} read again")
    if n_answer:
        said.append(f"answer {counted(n_answer, 'token')}, {duration(timing.answer_seconds)}")
    peak = f", peak {grouped(reading.pot.peak)} entries" if says_peak else ""
    kept = f" as {kept_as}" if kept_as else ""
    return " · ".join([*said, f"pot {size(reading.pot.nbytes)}{kept}{peak}"])


def say_details(console: "Console", reading: Reading) -> None:
    """The documents one by one, and what of the pot the prompt takes."""
    for entry in reading.inputs:
        document = entry.document
        pages = f", {document.n_pages} pages" if document.n_pages else ""
        of_size = f", {size(document.n_bytes)}" if document.n_bytes else ""
        say(console, f"{document.name}: {document.kind}{pages}{of_size}", style="dim")
    plan, prompt = reading.plan, reading.plan.prompt
    say(
        console,
        f"prompt: {len(prompt.prefix_ids)} tokens in front, {len(prompt.suffix_ids)} behind, catalyst "
        f"{len(prompt.catalyst_ids)} ({reading.task.catalyst}) · answer up to {plan.max_tokens} · "
        f"novelty {plan.novelty_ratio:g} · chunk {plan.chunk}",
        style="dim",
    )


def say_read_for(console: "Console", name: str, task: Task) -> None:
    """Of a stored pot that a question has distilled: that another question finds what mattered to that one."""
    header = header_of(name)
    if not header.numbers["n_cycles"]:
        return
    if is_question(header.catalyst) and set(task.questions) - set(header.questions):
        read_for = " ".join(f"“{question}”" for question in header.questions)
        plain = name.removeprefix("@")
        say(console, f"@{plain} was read for {read_for}: what only another question needs may be gone", style="dim")


def say_passes(console: "Console", reading: Reading, loaded: "LoadedModel") -> None:
    """How the model was loaded, and every distillation that is remembered."""
    how = f"{loaded.dtype} on {loaded.device}, {loaded.attention} attention"
    seconds = reading.timing.load_seconds  # of further documents by themselves none
    took = f", loaded in {duration(seconds)}" if seconds else ""
    say(console, f"model: {loaded.name}, {how}{took}", style="dim")
    for done in reading.passes.all:
        say(
            console, f"distillation {done.cycle}: at token {done.n_seen}, {done.n_before} to {done.n_held}", style="dim"
        )


def warn_of_an_end(console: "Console", reading: Reading, text: str) -> None:
    """Say it where the latest answer, of which this is the text, is missing or broke off."""
    if reading.is_reasoning:
        shown = "" if text else "; --think shows what it wrote"
        what = "-n gives it more room" if reading.is_cut else f"it ended there{shown}"
        show_warning(console, f"the model was still reasoning after {reading.n_answer} tokens; {what}")
    elif not text:
        show_warning(console, "the model gave no answer")
    elif reading.is_cut:
        show_warning(console, f"the answer was cut at {reading.n_answer} tokens; -n gives it more room")


def allow_no_warnings(n_warnings: int, color: Color, *, plain: bool = False) -> None:
    """What `--strict` asks for, once everything else is said and done.

    Raises:
        typer.Exit: there were warnings.
    """
    if n_warnings:
        plural = "s" if n_warnings > 1 else ""
        show_problem(error_console(color, plain=plain), f"{n_warnings} warning{plural}, and --strict allows none")
        raise typer.Exit(DocumentError.exit_code)


def names_of(reading: Reading) -> str:
    """The documents of a reading for its first line."""
    return few_of([entry.document.name for entry in reading.inputs])


def since_read(name: str) -> str:
    """What follows the names of a stored pot's documents: how old the reading is, and if they are gone since."""
    header = header_of(name)
    told = f", read {age(max(0.0, time.time() - header.created))}"
    fates = {source.path: fate_of(source) for source in header.sources}
    n_gone = [*fates.values()].count("gone")
    if not n_gone:
        return told
    return f"{told}, gone since" if n_gone == len(fates) else f"{told}, {n_gone} of {len(fates)} gone since"
