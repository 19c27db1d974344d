"""The paper: a KV cache of fixed capacity that reads a stream of any length. Ids in, ids out; prints nothing.

Axes in docstrings: L layers, H query heads, K KV heads, N entries held, T new tokens, C budget, D head dim,
V vocabulary. The batch is always 1 and absent.
"""

from infinipot_cli.engine.attended import Attended
from infinipot_cli.engine.coverage import coverage
from infinipot_cli.engine.events import Consumed, Distilled, Step
from infinipot_cli.engine.generate import generate
from infinipot_cli.engine.ingest import Reader, read
from infinipot_cli.engine.phrases import can_weigh, weigh
from infinipot_cli.engine.pot import Pot
from infinipot_cli.engine.reread import Reread, reread
from infinipot_cli.engine.state import PotState, capture, restore

__all__ = [
    "Attended",
    "Consumed",
    "Distilled",
    "Pot",
    "PotState",
    "Reader",
    "Reread",
    "Step",
    "can_weigh",
    "capture",
    "coverage",
    "generate",
    "read",
    "reread",
    "restore",
    "weigh",
]
