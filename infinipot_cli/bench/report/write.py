"""Put the report together and write it: Markdown, HTML, and a folder of pictures beside them."""

from pathlib import Path

from infinipot_cli.bench.report import cost, further, hits, longbench, needles
from infinipot_cli.bench.report.blocks import Block, Heading, Paragraph, to_html, to_markdown
from infinipot_cli.bench.report.found import Found
from infinipot_cli.bench.report.orderings import ordering_blocks
from infinipot_cli.bench.report.plots import MISSING, Plotter

TITLE = "InfiniPot, measured"


def blocks(found: Found, plotter: Plotter, llm: str = "L3") -> list[Block]:
    """The whole report.

    Args:
        found: the records.
        plotter: draws beside the report.
        llm: whose rows of the paper stand beside ours.
    """
    bench = longbench.LongBench(found)
    models = ", ".join(dict.fromkeys(record.model for record in found.records if record.model)) or "random weights"
    made: list[Block] = [
        Heading(TITLE, 1),
        Paragraph(
            f"Every table and figure of InfiniPot (arXiv:2410.01518), filled with what was measured of {models}, "
            f"beside the paper's own numbers of {llm} and others. Scores are percent unless said otherwise."
        ),
    ]
    if not plotter.is_able:
        made.append(Paragraph(MISSING))
    made += ordering_blocks(found)
    made += longbench.table_1(bench, llm)
    made += longbench.table_2(bench, llm)
    made += longbench.table_3(bench, llm)
    made += needles.passkey_blocks(found, plotter)
    made += cost.table(5, "infinipot", found)
    made += cost.table(6, "snapkv", found)
    made += longbench.table_7(bench)
    made += hits.figure_2(found, plotter)
    made += hits.figure_3(found, plotter)
    made += longbench.figure_6(bench, plotter)
    made += cost.figure_7(found, plotter)
    made += needles.other_blocks(found, plotter)
    made += needles.ruler_blocks(found)
    made += further.citation_blocks(found)
    made += cost.memory_blocks(found)
    made += further.pocket_blocks(found)
    return made + further.run_blocks(found)


def text(found: Found, path: Path, llm: str = "L3") -> str:
    """The report as the name of its file wants it, `.html` or Markdown; pictures are drawn beside it.

    Raises:
        OutputError: a picture cannot be written.
    """
    made = blocks(found, Plotter(path.parent), llm)
    return to_html(made, path.parent, TITLE) if path.suffix == ".html" else to_markdown(made)
