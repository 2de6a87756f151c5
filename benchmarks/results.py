"""The results of a run, as benchmarks/results.json keeps them, and how a figure is put into words."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.figures import Figure
from benchmarks.machine import Machine

FILE = Path(__file__).parent / "results.json"
GROWTH = Path(__file__).parent / "growth.json"
"""Of benchmarks/growth.py, whose sections are the sizes of databases."""
SCALING = Path(__file__).parent / "scaling.json"
"""Of benchmarks/scaling.py, whose sections are its parts."""
OF_EMPTY = "of the empty database"
MOST_SHOWN = 4.0
"""So many times better or worse than what to reach: a picture shows no more."""
HEADINGS = ("figure", "measured", "to reach", "reached", "least to most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one module measured, or why it could not; and the seconds that it took."""

    module: str
    seconds: float
    figures: tuple[Figure, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A whole run: when, of which commit, on which machine, with what outcome."""

    date: datetime
    commit: str
    machine: Machine
    sections: tuple[Section, ...]

    @property
    def figures(self) -> list[Figure]:
        return [figure for section in self.sections for figure in section.figures]

    @property
    def seconds(self) -> float:
        return sum(section.seconds for section in self.sections)

    @property
    def stamp(self) -> str:
        """What a picture says of the results that it shows."""
        return f"{self.date:%Y-%m-%d %H:%M} {self.commit}"

    def save(self, file: Path = FILE) -> None:
        """Write them for programs and people: each figure with its median, and whether it is reached."""
        document = _ADAPTER.dump_python(self, mode="json")
        for section, written in zip(self.sections, document["sections"], strict=True):
            for figure, its in zip(section.figures, written["figures"], strict=True):
                its |= {"value": figure.value, "is_reached": figure.is_reached}
        file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


_ADAPTER = TypeAdapter(Results)


def load(file: Path = FILE) -> Results:
    """Read what `save` wrote."""
    return _ADAPTER.validate_json(file.read_bytes())


def rows(sections: Sequence[Section]) -> Iterator[tuple[str, ...]]:
    """Yield the table below `HEADINGS`: a row a figure, and one for each module that failed."""
    for section in sections:
        for figure in section.figures:
            yield (
                figure.name,
                f"{number(figure.value)} {figure.unit}",
                to_reach(figure),
                {True: "yes", False: "no", None: "–"}[figure.is_reached],
                spread(figure),
            )
        if section.error is not None:
            yield f"({section.module})", f"failed: {section.error}", "", "no", ""


def spread(figure: Figure) -> str:
    """Return the least and the most of a figure's rounds."""
    return f"{number(min(figure.rounds))}–{number(max(figure.rounds))}"


def to_reach(figure: Figure) -> str:
    """Return a figure's target in words."""
    if figure.target is None:
        return "–"
    return f"{'at most' if figure.less_is_better else 'at least'} {figure.target:,g}"


def lead(figure: Figure, value: float) -> float:
    """Return how many times better a value is than what its figure has to reach; 1 is just reached,
    and what there is where nothing has to be."""
    if figure.target is None:
        return 1.0
    if figure.less_is_better:
        times = figure.target / value if value > 0 else MOST_SHOWN
    else:
        times = value / figure.target
    return min(max(times, 1 / MOST_SHOWN), MOST_SHOWN)


def beside(figure: Figure) -> str:
    """Return what was measured beside a figure, on one line."""
    return "; ".join(f"{name} {number(value)}" for name, value in figure.details.items())


def number(value: float) -> str:
    """Return a number with about three digits that say something."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.0995 or not value else f"{value:.2g}"
