"""`infinipot bench hitrate`: does the pot keep what a model that forgets nothing would look at?"""

from typing import Annotated

import typer

from infinipot_cli import __version__, settings
from infinipot_cli.commands.bench.shared import Book, Record, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.errors import UsageError

# Places for what is hidden, the question and the chat format beside the text.
ROOM = 128
MOST_TOKENS = 8192


@with_groups
def hitrate(
    book: Book,
    trials: Annotated[
        int, typer.Option("--trials", metavar="N", min=1, help="Questions to ask.", rich_help_panel="Test")
    ] = 4,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens",
            metavar="N",
            parser=settings.parse_size,
            help="Cut the book to so many; what the model was trained for by default.",
            rich_help_panel="Test",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of questions.", rich_help_panel="Test")] = 0,
    record: Record = None,
    *,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Hold what the pot keeps against what the whole text's attention would choose (Figures 2 and 3 of the paper).

    infinipot bench hitrate --book book.txt

    The whole text must fit the model's trained context, since global scoring reads it at once; the pot is a quarter of
    it unless -s says otherwise. Another --policy is measured beside InfiniPot's ways.
    """
    request = distilling.request()
    request.check_distilling("a hit rate by distillation")
    for name, keeps in (("mass", "way"), ("spread", "head")):
        if name in request.choice.changed:
            raise UsageError(
                f"--set {name} lets every {keeps} keep a number of its own; hit rates compare equal numbers"
            )
    from dataclasses import replace

    from infinipot_cli.bench import haystack
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.console import error_console
    from infinipot_cli.session import Session, ask

    text = haystack.read_book(book)
    session = Session(model)
    context = session.files.context_length
    n_tokens = tokens or min(context or MOST_TOKENS, MOST_TOKENS) - ROOM
    if context is not None and n_tokens + ROOM > context:
        raise UsageError(
            f"{n_tokens} tokens and a question of up to {ROOM} do not fit the {context} that the model was trained for",
            hint=f"--tokens {context - ROOM} is the most here",
        )
    capacity = distilling.pot_size or (n_tokens + ROOM) // 4
    if capacity >= n_tokens:
        raise UsageError(f"{n_tokens} tokens fit the pot of {capacity}, so nothing would be distilled")
    text = haystack.cut(text, session.tokenizer, n_tokens)
    session.request = replace(request, capacity=capacity)
    first = session.plan(ask("Who?"))  # a pot that cannot work is refused before the weights are loaded
    console = error_console(color, quiet=quiet)

    import hashlib
    import random

    from infinipot_cli.bench.hitrate import measure, versions
    from infinipot_cli.bench.hitrate_record import HitResult, HitTrial
    from infinipot_cli.bench.needle import DEPTHS
    from infinipot_cli.bench.plants import facts, hide
    from infinipot_cli.bench.provenance import provenance, run_settings, sha256
    from infinipot_cli.bench.run_file import RunFile

    files = haystack.files_of(book)
    setting = run_settings(session, first) | {
        "questions": trials, "tokens": n_tokens, "seed": seed, "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, HitTrial.of)
    plants = list(enumerate(facts(trials, random.Random(f"{seed} fact"))))
    with BenchProgress(console, trials, done=len(kept.done), kept=str(record or "")) as progress:
        for number, plant in plants[len(kept.done) :]:
            plan, general = (session.plan(ask(plant.question, catalyst=name)) for name in ("question", "general"))
            depth = DEPTHS[number * 4 % len(DEPTHS)]
            ids = session.tokenizer.encode(hide(text, plant.statement, depth))
            _check_fits(len(plan.prompt.prefix_ids) + len(ids) + len(plan.prompt.suffix_ids), context)
            kept.add(measure(session.load().model, plan, general, ids, question=plant.question, depth=depth))
            progress.step("questions")
    plan = session.plan(ask(plants[-1][1].question))
    result = HitResult(
        session.files.name, plan.capacity, plan.budget, plan.novelty_ratio, seed,
        hashlib.sha256(text.encode()).hexdigest(), {"infinipot": __version__, **versions()}, plan.choice.changed,
        kept.done,
    )  # fmt: skip
    if json:
        print_json(result.to_record() | {"settings": setting, "made_with": provenance(session, files)})
        return
    from infinipot_cli.display.hitrate_table import show_hitrate

    show_hitrate(result)


def _check_fits(n_tokens: int, context: int | None) -> None:
    if context is not None and n_tokens > context:
        raise UsageError(f"{n_tokens} tokens do not fit the {context} that the model was trained for: fewer --tokens")
