"""The version, which is written once: in `pingpilot/__init__.py`."""

import re
import tomllib
from pathlib import Path

from api.app import CALLS
from api.openapi.document import build
from pingpilot import __version__

ROOT = Path(__file__).parents[2]


def test_the_package_and_the_api_document_have_the_version_of_the_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["tool"]["hatch"]["version"] == {"path": "pingpilot/__init__.py"}
    assert "version" in project["project"]["dynamic"]
    assert build(CALLS)["info"]["version"] == __version__


def test_the_changelog_has_what_is_unreleased_first_and_then_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)", headings[1])
