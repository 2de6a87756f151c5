"""What all pages have in common: links lead somewhere; commands and files that are named are there."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from pingpilot.cli.app import app
from pingpilot.config import PREFIX, variables

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("docs/*.md")),
        *sorted(ROOT.glob("clients/*/*.md")),
    )
}
OF_PROGRAMS = {"PINGPILOT_URL", "PINGPILOT_API_KEY"}
"""Variables of those who send; the others are the daemon's settings."""

_COMMAND = re.compile(r"(?:`|^\$ )(?:\.venv/bin/)?pingpilot +([a-z][^`#\n]*)", re.MULTILINE)
_FILE = re.compile(r"`([\w*-][\w.*-]*/[\w./*-]*)`")
_ROOM_WITH_MODULES = re.compile(r"^\| (`[^|]*/`) \|(.*)", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]*)(?:#([^)\s]+))?\)")
_OWN_LINK = re.compile(r"\]\(#([^)\s]+)\)")
_WITHOUT_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _WITHOUT_CODE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def cases(found: dict[str, list[str]]) -> list[tuple[str, str]]:
    return sorted({(name, each) for name, all_of_page in found.items() for each in all_of_page})


NAMED = cases(
    {
        name: [" ".join(found.split()) for found in _COMMAND.findall(page.read_text())]
        for name, page in PAGES.items()
    }
)
LINKS = cases(
    {name: ["#".join(found) for found in _LINK.findall(prose(page))] for name, page in PAGES.items()}
)
FILES = cases({name: _FILE.findall(prose(page)) for name, page in PAGES.items()})


@pytest.mark.parametrize(("page", "named"), NAMED)
def test_a_command_and_its_options_are_there(page: str, named: str) -> None:
    words = named.split()
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no `pingpilot {named}`"
        command = command.commands[words.pop(0)]

    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }

    assert {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= options


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_to_a_file_and_its_heading(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (PAGES[page].parent / path).resolve()

    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize(("page", "file"), FILES)
def test_a_file_or_folder_that_is_named_exists(page: str, file: str) -> None:
    assert any(ROOT.glob(file)), f"{page} names {file}"


def test_a_room_of_the_design_has_the_modules_that_are_named() -> None:
    rooms = _ROOM_WITH_MODULES.findall(PAGES["docs/design.md"].read_text())

    missing = [
        f"{folder}{module}"
        for folders, text in rooms
        for folder in re.findall(r"`([^`]+)`", folders)
        for module in re.findall(r"`(\w+\.py)`", text)
        if not (ROOT / folder / module).exists()
    ]

    assert rooms
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_a_link_within_the_page_leads_to_a_heading(page: str) -> None:
    linked = set(_OWN_LINK.findall(prose(PAGES[page])))

    assert linked <= anchors(PAGES[page])


@pytest.mark.parametrize("page", PAGES)
def test_a_variable_that_is_named_is_a_setting(page: str) -> None:
    settings = {*variables()} | OF_PROGRAMS

    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", PAGES[page].read_text()))

    assert named <= settings


@pytest.mark.parametrize("page", PAGES)
def test_a_page_reads_the_same_on_a_forge_and_on_the_site(page: str) -> None:
    """Python-Markdown, which makes the site, wants four spaces in lists and shows a backslash in code."""
    fences = re.findall(r"^( *)```", PAGES[page].read_text(), re.MULTILINE)

    assert all(len(indentation) % 4 == 0 for indentation in fences)
    assert "\\|" not in prose(PAGES[page])


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].read_text().splitlines()) < 120


def test_commands_files_and_links_are_found() -> None:
    assert ("docs/setup-discord.md", "link-code --account you@example.com") in NAMED
    assert ("README.md", "docs/design.md#") in LINKS
    assert ("docs/design.md", "pingpilot/batching.py") in FILES
