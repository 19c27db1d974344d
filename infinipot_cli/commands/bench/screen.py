"""`infinipot bench screen`: the screen of a run as a picture, for documentation."""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import PotSize
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import DEFAULT, parse_settings


def screen(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The document to read.")],
    question: Annotated[
        str | None, typer.Argument(metavar="[QUESTION]", help="What to ask; without it the document is summarized.")
    ] = None,
    at: Annotated[
        float, typer.Option("--at", metavar="SHARE", help="Where the reading is drawn, 0 to 1.", rich_help_panel="Test")
    ] = 0.6,
    width: Annotated[int, typer.Option("--width", metavar="N", min=40, rich_help_panel="Test", help="Columns.")] = 80,
    model: common.Model = settings.DEFAULT_MODEL,
    pot_size: PotSize = None,
    output: common.Output = None,
    debug: common.Debug = False,
) -> None:
    """Draw the screen of a run as an SVG: the reading half way, then the answer and what is said about it.

    infinipot bench screen book.pdf "Who hid the map?" -o screen.svg
    """
    if not 0.0 <= at <= 1.0:
        raise UsageError(f"--at must lie between 0 and 1, not {at}")
    from infinipot_cli.commands.runs import log_alone
    from infinipot_cli.commands.runs.form import Form
    from infinipot_cli.display.console import say
    from infinipot_cli.display.digest import digest_lines
    from infinipot_cli.display.listing import put
    from infinipot_cli.display.output_file import output_file
    from infinipot_cli.display.progress import ReadingBar
    from infinipot_cli.display.screen import Screen
    from infinipot_cli.display.sources import sentence_lines, source_lines
    from infinipot_cli.display.summary import counted_line, kept_line
    from infinipot_cli.logs import Digest
    from infinipot_cli.session import Session, ask, summarize

    usual = settings.usual_choices(model, knows_question=question is not None)
    choice, _ = parse_settings(DEFAULT, usual)  # as the commands have it that are drawn
    session = Session(model, settings.PotRequest(pot_size, choice=choice))
    drawn = Screen(width)
    words = f'ask {source} "{question}"' if question is not None else f"summarize {source}"
    drawn.command(f"infinipot {words}")
    with session.prepare([source], ask(question) if question is not None else summarize()) as reading:
        log, entry = Digest(), reading.inputs[0]
        n_picked = 0
        if question is None:
            entry.log, entry.pieces = log, log.watch(entry.pieces)
            if model == settings.DEFAULT_MODEL:  # which picks its summaries
                n_picked = settings.PICKED[settings.Length.MEDIUM]
        if log_alone.is_enough(Form(digest=True, picked=n_picked), reading):
            say(drawn.console, counted_line(source, 1), style="dim")
            log_alone.count(reading)
            drawn.answer("\n".join(digest_lines(log)))
        else:
            plan, name = reading.plan, session.files.name
            header = f"{source} → pot of {plan.capacity} places, {plan.budget} kept when it is full · {name}"
            say(drawn.console, header, style="dim")
            bar, is_drawn = ReadingBar(drawn.still), False
            for progress in reading.read():
                bar.update(progress)
                if not is_drawn and progress.n_cycles and (progress.done or 0.0) >= at:
                    drawn.show(bar.picture())
                    is_drawn = True
            if log.is_log:
                drawn.answer("\n".join(digest_lines(log)) + "\n")
            if n_picked:
                reading.count_kept()
                drawn.answer("\n".join(sentence_lines(reading.pick(n_picked), named=False, width=width)))
            else:
                answer = "".join(reading.answer(watch=True)).strip()
                drawn.answer("\n".join([answer, *source_lines(reading.cited(), named=False)]))
            say(drawn.console, kept_line(reading.n_tokens, plan.capacity, reading.kept_share), style="dim")
    svg = drawn.svg(f"infinipot {words.split()[0]}")
    if output is None:
        put(svg)
        return
    with output_file(output) as file:
        file.write(svg)
