"""Every setting and command stands where people look for it."""

import re
from pathlib import Path

import pytest
import typer

from pingpilot.cli.app import app
from pingpilot.config import PREFIX, Settings, variables

ROOT = Path(__file__).parents[2]
VARIABLES = variables()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_setting_stands_in_the_example_and_on_its_page(variable: str) -> None:
    example = (ROOT / ".env.example").read_text()

    assert f"{variable}=" in example
    assert f"| `{variable}`" in SETTINGS or f", `{variable}` |" in SETTINGS


def test_the_page_tells_each_settings_default() -> None:
    told = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| (.*?) \|", SETTINGS, re.MULTILINE))

    real = {
        name.upper(): f"`{field.default}`"
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, str | int)
    }

    assert real
    assert {name: told[name] for name in real} == real


def test_the_example_names_no_setting_that_there_is_not() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    named = {line.lstrip("#").partition("=")[0] for line in lines if line.startswith(("#" + PREFIX, PREFIX))}

    assert named == set(VARIABLES)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_stands_on_the_page_of_commands(command: str) -> None:
    assert f"| `pingpilot {command}" in (ROOT / "docs" / "command-line.md").read_text()
