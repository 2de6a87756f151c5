"""What docs/performance.md shows of the results, between two comments; a test holds the page to them."""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import HEADINGS, Results, beside, rows

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN = "<!-- `make bench` writes from here, out of benchmarks/results.json -->"
END = "<!-- to here -->"
_BETWEEN = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)


def update(results: Results) -> None:
    """Write the results into the page."""
    PAGE.write_text(with_results(PAGE.read_text(), results))


def with_results(page: str, results: Results) -> str:
    """Return the page with these results in place of those that it shows."""
    text = "\n".join(_lines(results))
    changed, count = _BETWEEN.subn(lambda _: f"\n{text}\n\n", page)
    if count != 1:
        raise ValueError(f"{PAGE.name} has no place for the results: {BEGIN} … {END}")
    return changed


def _lines(results: Results) -> Iterator[str]:
    when, minutes = f"{results.date:%-d %B %Y}", results.seconds / 60
    yield f"Measured on {when} at commit `{results.commit}`, in {minutes:.0f} minutes."
    yield ""
    yield from table(HEADINGS, rows(results.sections))
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


def table(headings: tuple[str, ...], cells: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in cells:
        yield f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in row)} |"
