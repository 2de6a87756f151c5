"""What the documentation's site is made of; `make docs` builds it and looks at all its links."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.app import CALLS
from api.openapi.document import build, shown_path
from website.__main__ import navigation_of
from website.checking import problems
from website.reference import Reference
from website.staging import ROOT, stage

REFERENCE = Reference(build(CALLS))
PAGES = REFERENCE.pages()
WITH_A_BODY = [call for call in CALLS if call.body]


def page_of(method: str, path: str) -> str:
    """Return the page that a call's line in the list leads to."""
    [file] = re.findall(rf"\[`{method} {re.escape(path)}`\]\((.+?)\)", PAGES["index.md"])
    return PAGES[file]


def named(entries: Any) -> list[str]:
    """Return the files of a navigation, in its order."""
    if isinstance(entries, str):
        return [entries]
    listed = entries.values() if isinstance(entries, dict) else entries
    return [file for each in listed for file in named(each)]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "pages"
    stage(folder)
    return folder


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_a_call_has_a_page_with_its_address_and_every_error(call: Any) -> None:
    page = page_of(call.method, shown_path(call.path))

    assert page.startswith("# ")
    assert f"{call.method} {shown_path(call.path)}\n" in page
    assert "$ref" not in page
    assert all(f"../errors.md#{name.partition('/')[0]})" in page for name in call.errors)


@pytest.mark.parametrize("call", WITH_A_BODY, ids=lambda call: f"{call.method} {call.path}")
def test_the_command_of_a_call_sends_a_body_that_is_taken(call: Any) -> None:
    [sent] = re.findall(r"-d '(.+)'$", page_of(call.method, shown_path(call.path)), re.MULTILINE)

    assert call.body.model_validate(json.loads(sent)).model_fields_set


def test_members_of_members_are_listed_by_their_way() -> None:
    page = page_of("GET", "/api/v1/events/{eventId}")

    assert "| `deliveries[].attempts` | whole number | Tries that count towards giving up |" in page
    assert '"deliveries": [\n    {\n      "destination": "discord"' in page


def test_the_navigation_has_every_page_once(staged: Path) -> None:
    shown = named(navigation_of(REFERENCE))

    pages = {path.name for path in staged.glob("*.md")} | {f"api/{file}" for file in PAGES}
    assert sorted(shown) == sorted(pages)


def test_links_lead_to_pages_and_files_of_the_site(staged: Path) -> None:
    index, install = (staged / "index.md").read_text(), (staged / "install.md").read_text()

    assert "[docs/install.md](install.md)" in index
    assert 'srcset="images/overview-dark.png"' in index
    assert "[benchmarks/]" not in index
    assert "[deploy/pingpilot](files/deploy/pingpilot.txt)" in install
    unit = (ROOT / "deploy" / "pingpilot.service").read_text()
    assert (staged / "files/deploy/pingpilot.service.txt").read_text() == unit
    assert "git clone <this repository>" in index


def test_what_is_broken_or_from_another_host_is_told(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<h1 id="here">Here</h1>')
    (tmp_path / "index.html").write_text(
        '<script src="https://cdn.example.com/x.js"></script><img src="picture.png">'
        '<a href="there.html#here"></a><a href="there.html#gone"></a><a href="gone.html"></a>'
        '<a href="https://example.com"></a><a href="#top" id="top"></a>'
    )

    assert list(problems(tmp_path)) == [
        "index.html loads https://cdn.example.com/x.js from another host.",
        "index.html links to there.html#gone, and there is no such heading.",
        "index.html links to gone.html, which is not there.",
        "index.html links to picture.png, which is not there.",
    ]
