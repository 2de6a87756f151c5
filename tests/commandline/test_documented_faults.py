"""What docs/delivery.md states is shown by tests that exist, and the whole fault matrix stands there."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

from tests.channels import test_discord_room_faults, test_fault_matrix, test_telegram_room_faults

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "delivery.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", TEXT)))
FAULTS = TEXT.partition("## What other tools do")[0]
ROWS = [line for line in FAULTS.splitlines() if line.startswith("| ") and not line.startswith("| fault |")]


def cases_of(test: FunctionType) -> Iterator[str]:
    """Yield what a test is parametrised with, where that is text."""
    for mark in getattr(test, "pytestmark", []):
        yield from (value for value in mark.args[1] if isinstance(value, str))


MATRIX = [
    f"{name}[{case}]"
    for module in (test_fault_matrix, test_discord_room_faults, test_telegram_room_faults)
    for name, test in vars(module).items()
    if name.startswith("test_") and isinstance(test, FunctionType)
    for case in cases_of(test)
]


def test_the_page_and_the_matrix_are_read() -> None:
    assert len(ROWS) > 50
    assert len(MATRIX) > 50


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_the_page_names_is_there(named: str) -> None:
    path, _, rest = named.partition("::")
    name, _, case = rest.removesuffix("]").partition("[")
    assert (ROOT / path).is_file()

    test = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name, None)

    assert isinstance(test, FunctionType)
    assert not case or case in cases_of(test)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0].strip("| "))
def test_an_outcome_is_shown_by_a_test(row: str) -> None:
    assert "::test_" in row.rsplit(" | ", maxsplit=1)[-1]


@pytest.mark.parametrize("case", MATRIX)
def test_a_case_of_the_matrix_stands_on_the_page(case: str) -> None:
    assert f"::{case}`" in TEXT
