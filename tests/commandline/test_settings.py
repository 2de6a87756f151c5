"""Settings that are wrong: one sentence that names the variable, and never its value."""

from pathlib import Path

import pytest

from pingpilot.config import load_settings

from .conftest import Pingpilot

WRONG = [
    ({"DATABASE_URL": "mysql://me:a-secret@db/x"}, "DATABASE_URL"),
    ({"DATABASE_URL": "sqlite://relative.sqlite3"}, "DATABASE_URL"),
    ({"HTTP_PORT": "a-secret"}, "HTTP_PORT"),
    ({"HTTP_PORT": "65536"}, "HTTP_PORT"),
    ({"PUBLIC_URL": "a-secret.example.com"}, "PUBLIC_URL"),
    ({"DISCORD_API_URL": "ftp://a-secret"}, "DISCORD_API_URL"),
    ({"DISCORD_TOKEN": "a-secret in two words"}, "DISCORD_TOKEN"),
    ({"TELEGRAM_TOKEN": "1:a-secret\nof two lines"}, "TELEGRAM_TOKEN"),
    ({"TELEGRAM_API_URL": "a-secret"}, "TELEGRAM_API_URL"),
    ({"SMTP_PORT": "0"}, "SMTP_PORT"),
    ({"SMTP_SECURITY": "a-secret"}, "SMTP_SECURITY"),
    ({"SMTP_FROM": "a-secret"}, "SMTP_FROM"),
    ({"SMTP_HOST": "a-secret.example.com"}, "SMTP_FROM"),
    ({"SMTP_USERNAME": "me"}, "SMTP_PASSWORD"),
    ({"SMTP_PASSWORD": "a-secret"}, "SMTP_USERNAME"),
    ({"PLAN_FREE_EVENTS": "-1"}, "PLAN_FREE_EVENTS"),
    ({"PLAN_PRO_EVENTS": "a-secret"}, "PLAN_PRO_EVENTS"),
    ({"LOG_LEVEL": "a-secret"}, "LOG_LEVEL"),
    ({"LOG_FORMAT": "a-secret"}, "LOG_FORMAT"),
]


@pytest.mark.parametrize("command", [("run",), ("account", "list")])
@pytest.mark.parametrize(("settings", "named"), WRONG)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    pingpilot: Pingpilot,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    settings: dict[str, str],
    named: str,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"PINGPILOT_{name}", value)

    refused = pingpilot(*command)

    assert refused.code == 2
    assert refused.err.startswith(f"Error: PINGPILOT_{named} is ")
    assert len(refused.err.splitlines()) == 1
    assert "a-secret" not in refused.err


def test_settings_come_from_a_file_too_and_the_environment_wins(
    pingpilot: Pingpilot, monkeypatch: pytest.MonkeyPatch, alice: str
) -> None:
    Path(".env").write_text("PINGPILOT_PLAN_FREE_EVENTS=7\nPINGPILOT_PLAN_PRO_EVENTS=70\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("PINGPILOT_PLAN_PRO_EVENTS", "71")

    free = pingpilot("account", "show", alice, "--json").json["eventsLimit"]
    pro = pingpilot("account", "set-plan", alice, "pro").out

    assert free == 7
    assert "71 events a month" in pro


def test_a_token_is_taken_without_the_blanks_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DISCORD_TOKEN", " a-token\n")
    monkeypatch.setenv("PINGPILOT_TELEGRAM_TOKEN", "  ")

    settings = load_settings()

    assert settings.secrets == ("a-token",)
    assert settings.direct_channels == ["discord"]


def test_a_file_that_is_not_text_is_one_sentence(pingpilot: Pingpilot) -> None:
    Path(".env").write_bytes(b"PINGPILOT_SMTP_FROM=\xff\xfe\n")

    refused = pingpilot("account", "list")

    assert (refused.code, refused.err) == (
        2,
        "Error: The file .env is not UTF-8 text: save it as UTF-8.\n",
    )


def test_without_a_database_url_the_data_folder_holds_it(
    pingpilot: Pingpilot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PINGPILOT_DATABASE_URL")
    monkeypatch.setenv("PINGPILOT_DATA_DIR", str(tmp_path / "my data"))

    migrated = pingpilot("migrate")

    assert migrated.out == "The database is up to date.\n"
    assert (tmp_path / "my data" / "pingpilot.sqlite3").exists()


def test_migrating_again_changes_nothing(pingpilot: Pingpilot, alice: str) -> None:
    again = pingpilot("migrate")

    assert again.code == 0
    assert [each["email"] for each in pingpilot("account", "list", "--json").json] == [alice]
