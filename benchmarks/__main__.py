"""Runs the benchmarks: `make bench`, or `.venv/bin/python -m benchmarks --only intake --rounds 1`.

A whole run writes benchmarks/results.json, the pictures in docs/images and the table in docs/performance.md.
One of some modules only, or with fewer rounds, is shown and not kept. `--show` measures nothing: it shows the
kept results, and writes pictures and table anew.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from benchmarks import page, picture
from benchmarks.machine import this_commit, this_machine
from benchmarks.results import HEADINGS, Results, Section, beside, load, rows
from benchmarks.runner import MODULES, ROUNDS, run

_LIMIT_MINUTES = 15


def main() -> int:
    """Measure, show and keep; return 1 where a module failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure how fast PingPilot is here."
    )
    parser.add_argument(
        "--only", action="append", choices=MODULES, help="measure this alone; may be given again"
    )
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"rounds of each figure ({ROUNDS} unless given)"
    )
    parser.add_argument("--show", action="store_true", help="measure nothing: show the kept results")
    given = parser.parse_args()
    if given.show:
        return _shown_and_kept(load())
    if shutil.which("wrk") is None:
        missing = "wrk is not installed, and nothing that posts at full speed can be measured without it"
        print(f"{missing}: install it first (on Debian: apt-get install wrk).", file=sys.stderr)
    machine = this_machine()
    print("\n".join([*machine.lines(), *(f"Mind: {line}" for line in machine.warnings())]), flush=True)
    began = datetime.now(UTC)
    sections = [run(name, given.rounds) for name in given.only or MODULES]
    results = Results(date=began, commit=this_commit(), machine=machine, sections=tuple(sections))
    if given.only or given.rounds < ROUNDS:
        return _shown(results)
    results.save()
    return _shown_and_kept(results)


def _shown_and_kept(results: Results) -> int:
    page.update()
    picture.draw(results)
    return _shown(results)


def _shown(results: Results) -> int:
    # What no terminal reads is not folded to 80 columns
    console = Console(width=None if sys.stdout.isatty() else 140, markup=False)
    console.print()
    console.print(_table(results.sections))
    console.print("\nWhat bounds each figure:", style="bold")
    for figure in results.figures:
        console.print(f"\n{figure.name}: {figure.bound}", highlight=False)
        if figure.details:
            console.print(f"  {beside(figure)}", style="dim", highlight=False)
    console.print()
    minutes = results.seconds / 60
    taken = ", ".join(f"{section.module} {section.seconds:.0f}" for section in results.sections)
    console.print(f"{minutes:.1f} minutes; seconds of each: {taken}.", highlight=False)
    if minutes > _LIMIT_MINUTES:
        console.print(f"That is over the {_LIMIT_MINUTES} minutes that all may take.", style="red")
    return int(any(section.error is not None for section in results.sections))


def _table(sections: Sequence[Section]) -> Table:
    table = Table(*HEADINGS)
    table.columns[3].justify = table.columns[4].justify = "right"
    for row in rows(sections):
        color = {"yes": "green", "no": "red"}.get(row[3])
        table.add_row(*row, style=color)
    return table


if __name__ == "__main__":
    sys.exit(main())
