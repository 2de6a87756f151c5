"""A category's numbers as its page shows them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from api.dashboard.category.table import heading_of
from api.dashboard.charts import Columns, columns
from pingpilot.events.numbers import Totals

_DECIMALS, _DECIMALS_OF_SMALL = 2, 4
_SMALL = 100
_LARGEST_PLAIN, _SMALLEST_PLAIN = 1e15, 1e-4


@dataclass(frozen=True, slots=True)
class NumberField:
    """A field's card: what its numbers come to in the chosen span, None where it had none.

    `days` are for a table, newest first: date, sum, mean, least and most.
    """

    heading: str
    totals: Totals | None
    days: list[tuple[str, str, str, str, str]]
    chart: Columns


def number_field(
    name: str, days: Mapping[date, Totals], *, span: Collection[date], charted: Sequence[date], color: str
) -> NumberField:
    """Return a field's card, with a chart of its sum on each of the `charted` days."""
    totals = Totals()
    for day in span:
        if day in days:
            totals.join(days[day])
    sums = [days[day].total if day in days else 0.0 for day in charted]
    return NumberField(
        heading_of(name),
        totals if totals.events else None,
        [
            (f"{day:%-d %b}", figure(on.total), figure(on.mean), figure(on.smallest), figure(on.largest))
            for day in reversed(charted)
            if (on := days.get(day))
        ],
        columns(sums, color, width=300, height=56),
    )


def figure(number: float) -> str:
    """Return a number as people read it: `1,234.5`, `0.0125`, `1.2e+20`; rounded."""
    size = abs(number)
    if size and not _SMALLEST_PLAIN <= size < _LARGEST_PLAIN:
        return f"{number:.4g}"
    text = f"{number:,.{_DECIMALS if size >= _SMALL else _DECIMALS_OF_SMALL}f}"
    plain = text.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain
