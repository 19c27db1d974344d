"""A terminal that remembers what was shown, to be exported as a picture."""

import io
import re

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI
from rich.text import Text

from infinipot_cli.display.safe import safe


class Screen:
    """Records what a run shows, in the order of its terminal.

    Args:
        width: columns.
    """

    def __init__(self, width: int) -> None:
        self.console = Console(
            file=io.StringIO(),
            record=True,
            width=width,
            force_terminal=True,
            color_system="truecolor",
            highlight=False,
            markup=False,
            emoji=False,
        )

        # what draws here says nothing by itself, but knows how wide the screen is
        self.still = Console(file=io.StringIO(), width=width, quiet=True)

    def command(self, line: str) -> None:
        """Show what was typed."""
        self.console.print(Text.assemble(("$ ", "bold green"), safe(line)))

    def show(self, picture: RenderableType) -> None:
        """Show a picture as it stands at this moment."""
        self.console.print(picture)

    def answer(self, text: str) -> None:
        """Show what standard output gets."""
        self.console.print(Text(safe(text)))

    def svg(self, title: str) -> str:
        """The whole screen as an SVG; the same screen gives the same file, and it loads nothing from elsewhere."""
        drawn = self.console.export_svg(title=safe(title), theme=MONOKAI, unique_id="infinipot")
        return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
