"""`pingpilot backup`."""

from pathlib import Path

import pytest

from .conftest import Pingpilot


def test_a_backup_is_a_database_of_its_own(
    pingpilot: Pingpilot, alice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = pingpilot("backup", "copy.sqlite3")
    pingpilot("account", "create", "later@example.com")
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", f"sqlite://{tmp_path}/copy.sqlite3")

    listed = pingpilot("account", "list", "--json")

    assert made.out == "The backup is in copy.sqlite3.\n"
    assert [each["email"] for each in listed.json] == [alice]


def test_a_backup_replaces_nothing(pingpilot: Pingpilot) -> None:
    Path("copy.sqlite3").write_text("precious")

    refused = pingpilot("backup", "copy.sqlite3")

    assert refused.code == 2
    assert "exists already" in refused.err
    assert Path("copy.sqlite3").read_text() == "precious"


def test_a_folder_that_is_not_there_is_one_sentence(pingpilot: Pingpilot) -> None:
    refused = pingpilot("backup", "nowhere/copy.sqlite3")

    assert refused.code == 1
    assert len(refused.err.splitlines()) == 1
