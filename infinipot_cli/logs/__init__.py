"""What a log says of itself: lines with a time and a level, counted as they stream past, in memory of fixed size."""

from infinipot_cli.logs.digest import Digest, Mark, Repeated
from infinipot_cli.logs.level import Level

__all__ = ["Digest", "Level", "Mark", "Repeated"]
