"""`infinipot bench cost`: what does the pot cost in time and memory?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import options
from infinipot_cli.commands.bench.shared import print_json
from infinipot_cli.commands.distilling_options import PotSize
from infinipot_cli.errors import UsageError

MOST_DISTILL_SHARE = 0.03
MOST_NOVELTY_BYTES = 64 * 2**20
POT_SIZE = 2048


def cost(
    tokens: Annotated[
        str, typer.Option("--tokens", metavar="N,N", help="Lengths to read.", rich_help_panel="Test")
    ] = "4k,8k",
    methods: Annotated[
        str, typer.Option("--methods", metavar="NAME,NAME", help="What to compare.", rich_help_panel="Test")
    ] = "infinipot,full",
    pot_size: PotSize = POT_SIZE,
    dtype: Annotated[
        settings.Dtype, typer.Option("--dtype", help="Number format.", rich_help_panel="Test")
    ] = settings.Dtype.FLOAT32,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Time and memory of reading through a pot and with everything kept, on random weights of 100 M parameters.

    infinipot bench cost --tokens 4k,16k

    Two promises are measured besides: distilling takes at most 3 % of reading, and what novelty needs of the head adds
    at most 64 MB to the peak, at a vocabulary of 128 k. Exit code 1 where one is broken.
    """
    from infinipot_cli.bench import cost as bench

    lengths = [settings.parse_size(word) for word in tokens.split(",")]
    chosen = [name.strip() for name in methods.split(",")]
    if unknown := [name for name in chosen if name not in bench.METHODS]:
        raise UsageError(f"there is no method {unknown[0]!r}", hint=f"--methods takes {', '.join(bench.METHODS)}")
    capacity = pot_size or POT_SIZE
    if min(lengths) <= capacity:
        raise UsageError(f"a length of {min(lengths)} tokens fits the pot of {capacity}, so nothing would be distilled")
    number_format = "float32" if dtype is settings.Dtype.AUTO else dtype.value
    from dataclasses import asdict

    from infinipot_cli.display.answer import AnswerWriter
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.cost_table import cost_table
    from infinipot_cli.display.tables import show_table

    console = error_console(color, quiet=quiet)
    rows = []
    for row in bench.compare(lengths, chosen, capacity, number_format):
        rows.append(row)
        say(console, f"{row.method}, {row.n_tokens} tokens: {row.n_tokens / row.read_seconds:.0f} tok/s", style="dim")
    say(console, "novelty at a vocabulary of 128k", style="dim")
    without, with_novelty = bench.novelty_memory(capacity, number_format)
    share = max((row.distill_share for row in rows), default=0.0)
    more = with_novelty - without
    is_kept = {"distilling": share <= MOST_DISTILL_SHARE, "novelty": more <= MOST_NOVELTY_BYTES}
    if json:
        promises = {"distill_share": share, "novelty_bytes": more, "kept": is_kept}
        shape = {"shape": bench.SMALL, "pot": {"size": capacity}, "dtype": number_format}
        rows_out = [{**asdict(row), "distill_share": row.distill_share} for row in rows]
        from infinipot_cli.bench.provenance import versions_and_machine

        made = {"made_with": versions_and_machine()}
        print_json({"schema": 1, "bench": "cost", **shape, "rows": rows_out, "promises": promises, **made})
    else:
        show_table(cost_table(rows), f"random Llama of 100 M parameters, pot {capacity}, {number_format}")
        writer = AnswerWriter()
        writer.write(
            f"distilling: {100 * share:.1f} % of reading at most (promised: 3 %)\n"
            f"novelty at a vocabulary of 128k: {more / 2**20:+.0f} MB of peak memory (promised: 64 MB)"
        )
        writer.close()
    if not all(is_kept.values()):
        raise typer.Exit(1)
