"""Every setting and command stands where people look for it."""

from pathlib import Path

import pytest
import typer

from pingpilot.cli.app import app
from pingpilot.config import PREFIX, variables

ROOT = Path(__file__).parents[2]
VARIABLES = variables()
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_setting_stands_in_the_example_and_in_the_readme(variable: str) -> None:
    example = (ROOT / ".env.example").read_text()
    readme = (ROOT / "README.md").read_text()

    assert f"{variable}=" in example
    assert f"`{variable}`" in readme


def test_the_example_names_no_setting_that_there_is_not() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    named = {line.lstrip("#").partition("=")[0] for line in lines if line.startswith(("#" + PREFIX, PREFIX))}

    assert named == set(VARIABLES)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_stands_in_the_readme(command: str) -> None:
    assert f"`pingpilot {command}" in (ROOT / "README.md").read_text()
