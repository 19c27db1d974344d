"""The report's pictures: lines, heat maps and bars, each as SVG and PNG, by matplotlib (the extra `plots`)."""

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinipot_cli.bench.pocket_sets import short
from infinipot_cli.bench.report.blocks import Picture
from infinipot_cli.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISSING = "no plots: they need matplotlib, which pip install 'infinipot[plots]' brings"
FOLDER = "figures"
# More names than this stand beside a plot, not in it.
_MOST_INSIDE = 7

Curve = Sequence[tuple[float, float]]


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


@dataclass(frozen=True)
class Panel:
    """One set of axes with lines in it.

    Attributes:
        title: above it.
        x: what lies along it.
        y: what stands up.
        curves: points of each line by its name; those whose name begins with `paper` are drawn pale and dashed.
        is_log: whether lengths double from mark to mark.
        top: highest value of the y axis; None leaves it to the values.
        spreads: of some lines, between what each point lies; drawn as bars through the points.
    """

    title: str
    x: str
    y: str
    curves: Mapping[str, Curve]
    is_log: bool = False
    top: float | None = None
    spreads: Mapping[str, Curve] = field(default_factory=dict)


class Plotter:
    """Draws into a folder beside the report; draws nothing where matplotlib is missing.

    Args:
        folder: of the report.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.is_able = folder, can_plot()

    def lines(self, name: str, caption: str, panels: Sequence[Panel]) -> list[Picture]:
        """Panels side by side; none of them may be empty of lines to be drawn."""
        drawn = [panel for panel in panels if any(panel.curves.values())]
        if not self.is_able or not drawn:
            return []
        figure = self._figure(len(drawn) + 2 * any(len(panel.curves) > _MOST_INSIDE for panel in drawn), 1)
        for place, panel in enumerate(drawn, start=1):
            self._panel(figure.add_subplot(1, len(drawn), place), panel)
        return self._saved(figure, name, caption)

    def heat(self, name: str, caption: str, maps: Mapping[str, Mapping[tuple[str, str], float]]) -> list[Picture]:
        """Heat maps side by side: percent by (row, column), rows and columns in the order they come in."""
        if not self.is_able or not any(maps.values()):
            return []
        figure = self._figure(len(maps), 1)
        for place, (title, cells) in enumerate(maps.items(), start=1):
            axes = figure.add_subplot(1, len(maps), place)
            rows, columns = (list(dict.fromkeys(key[part] for key in cells)) for part in (0, 1))
            values = [[cells.get((row, column), math.nan) for column in columns] for row in rows]
            axes.imshow(values, vmin=0, vmax=100, cmap="RdYlGn", aspect="auto")
            axes.set_xticks(range(len(columns)), columns, rotation=45)
            axes.set_yticks(range(len(rows)), rows)
            axes.set_xticks([x + 0.5 for x in range(len(columns) - 1)], minor=True)
            axes.set_yticks([y + 0.5 for y in range(len(rows) - 1)], minor=True)
            axes.grid(which="minor", color="w", linewidth=1.5)
            axes.tick_params(which="minor", length=0)
            axes.set_xlabel("tokens")
            axes.set_ylabel("depth")
            axes.set_title(title, fontsize=9)
            for y, row in enumerate(values):
                for x, value in enumerate(row):
                    said, colour = "–" if math.isnan(value) else f"{value:.0f}", "k" if 20 < value < 85 else "w"
                    axes.text(x, y, said, ha="center", va="center", fontsize=8, color=colour)
        return self._saved(figure, name, caption)

    def bars(
        self, name: str, caption: str, panels: Mapping[str, Mapping[str, Sequence[float]]], x: str, y: str
    ) -> list[Picture]:
        """Bars of several series beside each other, one panel each: title, then values by series, counted from 1."""
        if not self.is_able or not any(panels.values()):
            return []
        figure = self._figure(len(panels), 1)
        for place, (title, series) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(1, len(panels), place)
            width = 0.8 / max(1, len(series))
            for number, (label, values) in enumerate(series.items()):
                # the bars of a place stand around its number
                shift = (number - (len(series) - 1) / 2) * width
                axes.bar([at + shift for at in range(1, len(values) + 1)], values, width, label=label)
            axes.set_xticks(range(1, 1 + max(map(len, series.values()), default=0)))
            axes.set_xlabel(x)
            axes.set_ylabel(y)
            axes.set_title(title, fontsize=9)
            axes.legend(fontsize=6)
        return self._saved(figure, name, caption)

    def _figure(self, across: int, down: int) -> "Figure":
        from matplotlib.figure import Figure

        return Figure(figsize=(max(5.0, 3.4 * across), 3.4 * down), layout="constrained")

    def _panel(self, axes: Any, panel: Panel) -> None:
        from matplotlib import colormaps

        colours = colormaps["tab20"].colors  # type: ignore[attr-defined]  # a listed map has them
        for number, (label, points) in enumerate(panel.curves.items()):
            shift = _shift(number, len(panel.curves)) if panel.is_log else 1.0
            xs, ys = [x * shift for x, _ in points], [y for _, y in points]
            if label.startswith("paper"):
                grey = str(0.45 + 0.25 * (number % 2))
                axes.plot(xs, ys, "--", color=grey, marker="sD^v"[number % 4], markersize=3, linewidth=1, label=label)
            else:
                colour = colours[(2 * number + number // 10) % len(colours)]
                wide, height = (2.5, 4) if number == 0 else (1, 3)  # the first lies above what runs along with it
                axes.plot(xs, ys, marker="o", markersize=3, linewidth=wide, label=label, color=colour, zorder=height)
                if ends := panel.spreads.get(label):
                    below = [max(0.0, value - low) for value, (low, _) in zip(ys, ends, strict=True)]
                    above = [max(0.0, high - value) for value, (_, high) in zip(ys, ends, strict=True)]
                    axes.errorbar(xs, ys, yerr=[below, above], fmt="none", ecolor=colour, capsize=3, elinewidth=1)
        if panel.is_log:
            lengths = sorted({int(x) for points in panel.curves.values() for x, _ in points})
            axes.set_xscale("log", base=2)
            axes.set_xticks(lengths, [short(length) for length in lengths], rotation=60)
            axes.minorticks_off()
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(panel.x)
        axes.set_ylabel(panel.y)
        axes.set_ylim(bottom=0, top=panel.top)
        # points at the ends of the scale are drawn whole
        for line in axes.lines:
            line.set_clip_on(False)
        axes.set_title(panel.title, fontsize=9)
        place = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)} if len(panel.curves) > _MOST_INSIDE else {}
        axes.legend(fontsize=6, **place)

    def _saved(self, figure: "Figure", name: str, caption: str) -> list[Picture]:
        import matplotlib

        path = self.folder / FOLDER / f"{name}.svg"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with matplotlib.rc_context({"svg.hashsalt": "infinipot"}):  # the same records give the same bytes
                figure.savefig(path, metadata={"Date": None})
                figure.savefig(path.with_suffix(".png"), dpi=110, metadata={"Software": None})
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
        return [Picture(f"{FOLDER}/{name}.svg", caption)]


def _shift(number: int, n: int) -> float:
    """How far, as a factor, the points of one of `n` lines stand from their length, so that equal scores stay apart."""
    return float(2.0 ** ((number - (n - 1) / 2) * min(0.04, 0.5 / n)))
