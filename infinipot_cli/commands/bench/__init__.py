"""`infinipot bench`: measurements that anyone can repeat, one file each."""

import typer

from infinipot_cli.commands.bench import (
    ageing,
    citations,
    cost,
    every,
    families,
    hitrate,
    longbench,
    memory,
    needle,
    pocket,
    pots,
    report,
    ruler,
    screen,
    startup,
    stream,
)

app = typer.Typer(no_args_is_help=True, help="Measure what the pot finds again and what it costs.")
app.command("all")(every.run_all)
app.command("needle")(needle.needle)
app.command("ruler")(ruler.ruler)
app.command("ageing")(ageing.ageing)
app.command("citations")(citations.citations)
app.command("memory")(memory.memory)
app.command("cost")(cost.cost)
app.command("hitrate")(hitrate.hitrate)
app.command("families")(families.families)
app.command("pocket")(pocket.pocket)
app.command("pots")(pots.pots)
app.command("stream")(stream.stream)
app.command("longbench")(longbench.longbench)
app.command("screen")(screen.screen)
app.command("report")(report.report)
app.command("startup")(startup.startup)
