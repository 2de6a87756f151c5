"""The picture of the results: how far each figure is from what it has to reach, light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.figures import Figure
from benchmarks.results import MOST_SHOWN, Results, lead, number, to_reach

IMAGES = Path(__file__).parents[1] / "docs" / "images"
_ROW_INCHES, _AXIS_INCHES = 0.52, 0.5
_LETTERS = 84
"""So many fit into a line."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The dashboard's colours, so that a picture looks at home on the page around it."""

    ground: str
    ink: str
    muted: str
    line: str
    reached: str
    short: str


SCHEMES = {
    "light": Scheme("#ffffff", "#1c1917", "#57534e", "#d6d3d1", "#0f766e", "#b45309"),
    "dark": Scheme("#0d1117", "#f5f5f4", "#b8b2ac", "#44403c", "#2dd4bf", "#fbbf24"),
}


def draw(results: Results, folder: Path = IMAGES) -> None:
    """Write performance-light.svg and performance-dark.svg."""
    figures = [figure for figure in results.figures if figure.target is not None]
    for name, scheme in SCHEMES.items():
        save(_drawn(figures, scheme), folder / f"performance-{name}.svg", results.stamp)


def save(canvas: Canvas, file: Path, stamp: str) -> None:
    """Write a picture that says of which results it is, and is the same for the same ones."""
    with mpl.rc_context({"svg.hashsalt": "pingpilot"}):  # else its ids are random
        canvas.savefig(file, metadata={"Date": None, "Description": stamp})


def _drawn(figures: Sequence[Figure], scheme: Scheme) -> Canvas:
    """Return the picture: a row a figure, each from the line that it has to reach to where it is."""
    # Where a name and what was measured do not fit beside each other, they stand on lines of their own
    lines = [2 if len(each.name) + len(_words(each)) > _LETTERS else 1 for each in figures]
    places = list(accumulate(0.6 + 0.4 * each for each in lines))
    rows = (places[-1] if places else 0) + 0.5
    height = rows * _ROW_INCHES + _AXIS_INCHES
    canvas = Canvas(figsize=(7, height), facecolor=scheme.ground)
    axes = canvas.add_axes(
        (0.03, _AXIS_INCHES / height, 0.94, 1 - _AXIS_INCHES / height), facecolor=scheme.ground
    )
    axes.set_xscale("log")
    axes.set_xlim(1 / MOST_SHOWN / 1.06, MOST_SHOWN * 1.06)
    axes.set_ylim(rows, 0)
    axes.axvline(1, color=scheme.muted, linewidth=1.2, zorder=1)
    for figure, place, count in zip(figures, places, lines, strict=True):
        _draw_row(axes, figure, place, name_at=place - 0.4 * count, scheme=scheme)
    axes.xaxis.set_major_locator(FixedLocator([1 / 4, 1 / 2, 1, 2, 4]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_times))
    axes.yaxis.set_visible(False)
    axes.tick_params(colors=scheme.muted, labelsize=9, length=0)
    axes.set_xlabel("← not reached      to reach      better →", color=scheme.muted, fontsize=9)
    for side in axes.spines.values():
        side.set_visible(False)
    return canvas


def _words(figure: Figure) -> str:
    return f"{number(figure.value)} {figure.unit} ({to_reach(figure)})"


def _draw_row(axes: Any, figure: Figure, row: float, *, name_at: float, scheme: Scheme) -> None:
    color, across = scheme.reached if figure.is_reached else scheme.short, axes.get_yaxis_transform()
    # On the ground's colour, so that the line of what to reach does not go through the letters
    box = {"facecolor": scheme.ground, "edgecolor": "none", "pad": 1}
    named = {"va": "center", "transform": across, "bbox": box}
    axes.text(0, name_at, figure.name, color=scheme.ink, fontsize=9.5, **named)
    axes.text(1, row - 0.4, _words(figure), color=scheme.muted, fontsize=9, ha="right", **named)
    axes.plot((1 / MOST_SHOWN, MOST_SHOWN), (row, row), color=scheme.line, linewidth=1, zorder=0)
    at, rounds = lead(figure, figure.value), [lead(figure, each) for each in figure.rounds]
    axes.plot((1, at), (row, row), color=color, linewidth=6, zorder=2, solid_capstyle="butt")
    axes.plot(rounds, [row] * len(rounds), "|", color=color, markersize=11, markeredgewidth=1, zorder=3)
    # An arrow's head where the value is further out than the picture goes
    head = ">" if at == MOST_SHOWN else "<" if at == 1 / MOST_SHOWN else "o"
    axes.plot([at], [row], head, color=color, markersize=8, zorder=4)


def _times(value: float, _position: int | None = None) -> str:
    return f"{value:g}×" if value >= 1 else f"1/{1 / value:g}"
