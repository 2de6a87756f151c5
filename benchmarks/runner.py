"""Runs the modules that measure, one after the other."""

import traceback
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from time import monotonic

from benchmarks.figures import Figure
from benchmarks.results import Section

MODULES = ("intake", "dwell", "drain", "pace", "storm", "mixed", "account_data", "footprint")
ROUNDS = 5


def run(module: str, rounds: int) -> Section:
    """Run one in a process of its own, so that none finds what another left behind."""
    print(f"\n{module} ...", flush=True)
    began, figures, error = monotonic(), list[Figure](), None
    try:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
            figures = process.submit(_measure, module, rounds).result()
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - the others are measured whatever happens in one
        traceback.print_exception(exc)
        error = str(exc).strip() or type(exc).__name__
    seconds = monotonic() - began
    print(f"{module}: {seconds:.0f} s", flush=True)
    return Section(module=module, seconds=seconds, figures=tuple(figures), error=error)


def _measure(module: str, rounds: int) -> list[Figure]:
    return list(import_module(f"benchmarks.{module}").measure(rounds=rounds))
