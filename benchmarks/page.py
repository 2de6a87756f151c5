"""What the documentation shows of the results, between comments; a test holds the pages to them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.results import (
    GROWTH,
    HEADINGS,
    OF_EMPTY,
    SCALING,
    Results,
    beside,
    load,
    number,
    rows,
    spread,
)

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
SCALING_PAGE = PAGE.with_name("scaling.md")
FIGURES = "<!-- `make bench` writes from here, out of benchmarks/results.json -->"
GROWN = "<!-- `python -m benchmarks.growth` writes from here, out of benchmarks/growth.json -->"
SCALED = "<!-- `python -m benchmarks.scaling` writes from here, out of benchmarks/scaling.json -->"
END = "<!-- to here -->"
_NOTHING = "Not measured yet on a machine that did nothing else."


def update() -> None:
    """Write what is kept into the pages."""
    PAGE.write_text(with_results(PAGE.read_text(), load(), load(GROWTH)))
    SCALING_PAGE.write_text(with_scaling(SCALING_PAGE.read_text(), load(SCALING)))


def with_results(page: str, results: Results, growth: Results) -> str:
    """Return the page on performance with these results in place of those that it shows."""
    return _with(page, {FIGURES: _figures(results), GROWN: _growth(growth)})


def with_scaling(page: str, scaling: Results) -> str:
    """Return the page on many daemons with these results in place of those that it shows."""
    return _with(page, {SCALED: _scaling(scaling)})


def _with(page: str, parts: Mapping[str, Iterator[str]]) -> str:
    for begin, lines in parts.items():
        place = re.compile(f"(?<={re.escape(begin)}\n).*?(?={re.escape(END)})", re.DOTALL)
        text = "\n".join(["", *lines, "", ""])
        page, count = place.subn(text.replace("\\", r"\\"), page)
        if count != 1:
            raise ValueError(f"The page has no place for the results: {begin} … {END}")
    return page


def growth_table(growth: Results) -> Iterator[str]:
    """Yield a row a size of database; behind each cost, what it is of that with the empty one."""
    names = [f"{each.name} ({each.unit})" for section in growth.sections[:1] for each in section.figures]
    cells = [
        [
            section.module,
            *(f"{number(each.value)} ({number(each.details[OF_EMPTY])})" for each in section.figures),
        ]
        for section in growth.sections
    ]
    yield from _table(("database", *names), cells)


def _figures(results: Results) -> Iterator[str]:
    yield from _measured(results)
    yield from _table(HEADINGS, list(rows(results.sections)))
    yield ""
    yield "The machine and what ran on it:"
    yield ""
    yield from (f"- {line}" for line in results.machine.lines())
    yield ""
    yield "### What bounds each figure"
    yield ""
    for figure in results.figures:
        details = f" Beside it: {beside(figure)}." if figure.details else ""
        yield f"- **{figure.name}.** {figure.bound}{details}"


def _growth(growth: Results) -> Iterator[str]:
    if not growth.sections:
        yield _NOTHING
        return
    yield from _measured(growth)
    yield from growth_table(growth)


def scaling_table(scaling: Results) -> Iterator[str]:
    """Yield a row a figure, with what was measured beside it."""
    cells = [
        (figure.name, f"{number(figure.value)} {figure.unit}", spread(figure), beside(figure))
        for figure in scaling.figures
    ]
    yield from _table(("figure", "measured", "least to most", "beside it"), cells)


def _scaling(scaling: Results) -> Iterator[str]:
    if not scaling.sections:
        yield _NOTHING
        return
    yield from _measured(scaling)
    yield from scaling_table(scaling)


def _measured(results: Results) -> Iterator[str]:
    when, minutes = f"{results.date:%-d %B %Y}", results.seconds / 60
    yield f"Measured on {when} at commit `{results.commit}`, in {minutes:.0f} minutes."
    yield from results.machine.warnings()
    yield ""


def _table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in cells:
        yield f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in row)} |"
