"""Every setting and command stands where people look for it."""

import re
from pathlib import Path

import pytest
import typer

from pingpilot.cli.app import COMMANDS as SENTENCES
from pingpilot.cli.app import app
from pingpilot.config import PREFIX, Settings, variables

ROOT = Path(__file__).parents[2]
VARIABLES = variables()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
_ALL = typer.main.get_command(app).commands  # type: ignore[attr-defined]
COMMANDS = sorted(_ALL)
GROUPS = {name: each for name, each in _ALL.items() if hasattr(each, "commands")}


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
def test_the_list_of_commands_says_of_each_what_it_says_itself(command: str) -> None:
    _, sentence = SENTENCES[command]

    assert _ALL[command].get_short_help_str(limit=1000) == sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_stands_on_the_page_of_commands(command: str) -> None:
    assert f"| `pingpilot {command}" in (ROOT / "docs" / "command-line.md").read_text()


def test_the_dashboards_page_says_of_each_command_where_it_is_there() -> None:
    page = (ROOT / "docs" / "dashboard.md").read_text()
    listed = set[str]()
    for cell in re.findall(r"^\| (`pingpilot [^|]+) \|", page, re.MULTILINE):
        first, *others = re.findall(r"`(?:pingpilot )?([^`]+)`", cell)
        group = first.partition(" ")[0]
        names = [first, *(f"{group} {name}" if group in GROUPS else name for name in others)]
        listed |= {" ".join(word for word in name.split() if word[0] != "-") for name in names}

    for name, command in GROUPS.items():
        assert {f"{name} {each}" for each in command.commands} <= listed
    assert {name for name in COMMANDS if name not in GROUPS} <= listed
