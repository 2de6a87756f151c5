"""`pingpilot account export` and `pingpilot account delete`."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.support.daemon import command, execute

from .conftest import Pingpilot


def test_an_export_is_one_json_document(pingpilot: Pingpilot, alice: str) -> None:
    shown = pingpilot("account", "export", alice)

    assert (shown.code, shown.err) == (0, "")
    assert shown.json["account"]["email"] == alice
    assert shown.json["events"] == []


def test_an_export_goes_to_a_file_for_its_owner_alone(
    pingpilot: Pingpilot, alice: str, tmp_path: Path
) -> None:
    file = tmp_path / "alice.json"

    pingpilot("account", "export", alice, "--output", str(file))

    assert json.loads(file.read_text())["account"]["email"] == alice
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_reader_that_has_enough_is_no_error(sqlite_url: str, tmp_path: Path) -> None:
    settings = {"PINGPILOT_DATABASE_URL": sqlite_url}
    await command("account", "create", "alice@example.com", settings=settings, folder=tmp_path)
    whole = f"{sys.executable} -m pingpilot account export alice@example.com"

    ended = await execute("bash", "-c", f"{whole} | true", settings=settings, folder=tmp_path)

    assert ended.err == ""


def test_an_export_overwrites_nothing(pingpilot: Pingpilot, alice: str, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("kept")

    refused = pingpilot("account", "export", alice, "--output", str(file))

    assert refused.code == 2
    assert "Name a new file" in refused.err
    assert file.read_text() == "kept"


@pytest.mark.parametrize("command", ["export", "delete"])
def test_an_account_that_there_is_not_is_named(pingpilot: Pingpilot, command: str) -> None:
    refused = pingpilot("account", command, "nobody@example.com")

    assert refused.code == 1
    assert "nobody@example.com" in refused.err


def test_deleting_says_what_went(pingpilot: Pingpilot, alice: str) -> None:
    deleted = pingpilot("account", "delete", alice, "--yes")

    assert (deleted.code, deleted.out) == (0, f"{alice} is deleted, with 0 events.\n")
    assert pingpilot("account", "show", alice).code == 1


@pytest.mark.parametrize(("typed", "code"), [("alice@example.com", 0), ("bob@example.com", 2), ("y", 2)])
def test_deleting_asks_for_the_address(
    pingpilot: Pingpilot, alice: str, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))

    asked = pingpilot("account", "delete", alice)

    assert asked.code == code
    assert (pingpilot("account", "show", alice).code == 0) is (code == 2)
