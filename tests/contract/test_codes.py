"""The table of errors is what the code raises and what people read."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.app import CALLS
from api.errors import ApiError, codes, example_of
from api.openapi.document import build
from api.openapi.replies import errors_of
from pingpilot.channels import CHANNELS, TELEGRAM
from website import errors

ROOT = Path(__file__).parents[2]
SOURCES = [path for path in (ROOT / "api").rglob("*.py") if path.name != "errors.py"]
UNLINKED = {kind.unlinked_code for kind in CHANNELS.values() if kind.unlinked_code}
NAMES = [
    name
    for code, record in codes().items()
    for name in (code, *(f"{code}/{variant}" for variant in record.variants))
]
_PAGE_ROW = re.compile(r"^\| (\d{3}) `([a-z_]+)` \|", re.MULTILINE)


def constants() -> Iterator[str]:
    """Yield every text in the sources of the API."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def raised() -> Iterator[ast.Call]:
    """Yield every `ApiError(...)` in the sources of the API."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ApiError":
                yield node


def test_each_sentence_of_the_table_is_used() -> None:
    assert set(NAMES) - set(constants()) == UNLINKED


def test_an_error_is_raised_by_a_name_of_the_table_and_values_alone() -> None:
    calls = list(raised())
    named = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}

    assert len(calls) > 30
    assert named <= set(NAMES)
    assert all(len(call.args) == 1 for call in calls)


def test_the_page_of_errors_is_made_of_the_table() -> None:
    assert errors.PAGE.read_text() == errors.page(), "run `.venv/bin/python -m website errors`"
    assert all(f"\n### `{name}`\n" in errors.page() for name in codes())


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_page_names_codes_with_their_status(page: Path) -> None:
    rows = _PAGE_ROW.findall(page.read_text())

    assert all(codes()[code].status == int(status) for status, code in rows)
    assert rows or page.name != "sending-events.md"


def test_a_call_names_errors_of_the_table_alone() -> None:
    named = {name for call in CALLS for name in errors_of(call)}

    assert named <= set(NAMES)
    assert set(codes()) - {name.partition("/")[0] for name in named} == {
        "method_not_allowed",  # of any address
        "precondition_failed",  # of files
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_the_shape_of_its_code(name: str) -> None:
    published = example_of(name)

    body = json.loads(published.reply().body)  # type: ignore[arg-type]  # always bytes
    codes()[published.code].shape.model_validate_json(json.dumps(body), strict=True)
    assert body["code"] == name.partition("/")[0]
    assert "{" not in str(published).partition(" A body that works: ")[0]
    assert not any("{" in value for value in published.headers.values())


def test_a_channel_that_is_added_has_its_code_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    pigeon = replace(TELEGRAM, name="pigeon", label="Pigeon", unlinked_code="pigeon_not_set")
    monkeypatch.setitem(CHANNELS, "pigeon", pigeon)

    document = build(CALLS)

    posting = document["paths"]["/api/v1/event"]["post"]["responses"]["403"]
    unlinking = document["paths"]["/api/v1/links/{channel}"]["delete"]["parameters"][0]
    shown = document["components"]["schemas"]["ShownChannel"]["properties"]["channel"]
    assert str(ApiError("pigeon_not_set", command="`a`")).startswith("Pigeon is switched on")
    assert "`pigeon_not_set`" in posting["description"]
    assert "pigeon" in unlinking["schema"]["enum"]
    assert "pigeon" in shown["enum"]
