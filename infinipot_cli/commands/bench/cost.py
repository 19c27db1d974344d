"""`infinipot bench cost`: what does the pot cost in time and memory?"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Record, parse_lengths, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.errors import PotSizeError, UsageError
from infinipot_cli.policies import DEFAULT, POLICIES

if TYPE_CHECKING:
    from infinipot_cli.bench.cost_record import CostRow

TEST = "Test"

MOST_DISTILL_SHARE = 0.03
MOST_NOVELTY_BYTES = 64 * 2**20
POT_SIZE = 2048


def cost(
    tokens: Annotated[str, typer.Option("--tokens", metavar="N,N", help="Lengths to read.", rich_help_panel=TEST)] = (
        "4k,8k"
    ),
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            metavar="NAME,NAME",
            help="What to compare: full is transformers' own growing cache, other names are those of --policy.",
            rich_help_panel=TEST,
        ),
    ] = "infinipot,full,snapkv",
    model: Annotated[
        str,
        typer.Option(
            "-m", "--model", metavar="NAME", help="Weights to load; random ones by default.", rich_help_panel=TEST,
            show_default=False,
        ),
    ] = "",
    answer: Annotated[
        int, typer.Option("--answer", metavar="N", min=2, help="Tokens of each answer.", rich_help_panel=TEST)
    ] = 16,
    repeat: Annotated[
        int,
        typer.Option("--repeat", metavar="N", min=1, help="Times to measure; medians are told.", rich_help_panel=TEST),
    ] = 3,
    record: Record = None,
    pot_size: Annotated[
        int,
        typer.Option(
            "-s",
            "--pot-size",
            metavar="N",
            parser=settings.parse_size,
            help="Places in the pot, such as 1024 or 4k.",
            rich_help_panel=TEST,
        ),
    ] = POT_SIZE,
    dtype: Annotated[
        settings.Dtype,
        typer.Option(
            "--dtype",
            metavar="NAME",
            parser=settings.parse_dtype,
            help=f"Number format: {settings.DTYPE_NAMES}.",
            rich_help_panel=TEST,
        ),
    ] = settings.Dtype.FLOAT32,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:  # fmt: skip
    """Time and memory of reading through a pot, with everything kept, and as other methods do (Tables 5, 6; Figure 7).

    infinipot bench cost --tokens 4k,16k

    infinipot bench cost -m pocket -s 1k --tokens 4k --methods infinipot,full,snapkv,streaming_llm

    Each measurement has a process of its own, warmed up, and is taken --repeat times there; told are medians, and
    between what they lie. Random weights are those of a model of 100 M parameters. Methods that make room token by
    token, as streaming_llm does, take minutes where the others take seconds, and are only measured where --methods
    names them. On random weights two promises of infinipot are measured besides: distilling takes at most 3 % of
    reading, where it is among the methods, and what novelty needs of the head adds at most 64 MB to the peak, at a
    vocabulary of 128 k. Exit code 1 where one is broken.
    """
    from infinipot_cli.bench import cost as bench

    lengths = list(parse_lengths(tokens))
    chosen = list(dict.fromkeys(name.strip() for name in methods.split(",")))
    if unknown := [name for name in chosen if name not in POLICIES]:
        raise UsageError(f"there is no method {unknown[0]!r}", hint=f"--methods takes {', '.join(POLICIES)}")
    if pot_size < bench.SMALLEST_POT:
        raise PotSizeError(
            f"a pot of {pot_size} places is too small to answer from; {bench.SMALLEST_POT} is the least here"
        )
    if min(lengths) <= pot_size:
        raise UsageError(f"a length of {min(lengths)} tokens fits the pot of {pot_size}, so nothing would be distilled")
    number_format = "float32" if dtype is settings.Dtype.AUTO else dtype.value
    from infinipot_cli.bench.cost_record import CostRow, cells, to_record
    from infinipot_cli.bench.provenance import weight_hashes, weight_marks
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.answer import AnswerWriter
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.cost_table import cost_tables
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.session import Session

    console = error_console(color, quiet=quiet)
    session = Session(model) if model else None
    setting: dict[str, object] = {
        "model": model, "shape": {} if model else bench.SMALL, "pot": {"size": pot_size}, "dtype": number_format,
        "weights": weight_marks(session) if session else [], "tokens": lengths, "methods": chosen,
        "answer": answer, "repeat": repeat,
    }  # fmt: skip
    kept = RunFile(record, setting, CostRow)
    like = bench.CostRun("", 0, pot_size, bench.SMALL, dtype=number_format, n_answer=answer, model=model,
                         n_repeats=repeat)  # fmt: skip
    for row in bench.compare(lengths, chosen, like, tuple(kept.done)):
        kept.add(row)
        say(console, f"{row.method}, {row.n_tokens} tokens: {row.n_tokens / row.read_seconds:.0f} tok/s", style="dim")
    promises: list[_Promise] = []
    if not model:  # they are about the shape of the random weights
        promises += _distilling_promise(kept.done)
        say(console, "novelty at a vocabulary of 128k", style="dim")
        promises += _novelty_promise(*bench.novelty_memory(pot_size, number_format))
    if json:
        # torch comes in only now: a child would have begun with the memory of its parent
        from infinipot_cli.bench.provenance import versions_and_machine

        measured = {promise.field: promise.value for promise in promises}
        told = {**measured, "kept": {promise.name: promise.is_kept for promise in promises}}
        hashes = {"weights": weight_hashes(session)} if session else {}
        print_json(to_record(setting, kept.done, told, versions_and_machine() | hashes))
    else:
        said = model or "random Llama of 100 M parameters"
        for heading, table in cost_tables(cells(kept.done)):
            show_table(table, f"{said}, pot {pot_size}, {number_format}; {heading}")
        if promises:
            writer = AnswerWriter()
            writer.write("\n".join(promise.line for promise in promises))
            writer.close()
    if not all(promise.is_kept for promise in promises):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Promise:
    """What was promised, and what was measured."""

    name: str
    field: str
    value: float
    is_kept: bool
    line: str


def _distilling_promise(rows: "Sequence[CostRow]") -> list[_Promise]:
    """What InfiniPot's own distillations take of reading at most; nothing where it was not measured."""
    by_length: dict[int, list[float]] = {}
    for row in rows:
        if row.method == DEFAULT:
            by_length.setdefault(row.n_tokens, []).append(row.distill_share)
    if not by_length:
        return []
    share = max(map(median, by_length.values()))
    line = f"distilling: {100 * share:.1f} % of reading at most (promised: 3 %)"
    return [_Promise("distilling", "distill_share", share, share <= MOST_DISTILL_SHARE, line)]


def _novelty_promise(without: int, with_novelty: int) -> list[_Promise]:
    more = with_novelty - without
    line = f"novelty at a vocabulary of 128k: {more / 2**20:+.0f} MB of peak memory (promised: 64 MB)"
    return [_Promise("novelty", "novelty_bytes", more, more <= MOST_NOVELTY_BYTES, line)]
