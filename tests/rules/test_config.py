"""Settings: where they come from, and the sentence a wrong one gets."""

from pathlib import Path

import pytest

from pingpilot.config import load_settings
from pingpilot.email.settings import EmailSettings
from pingpilot.errors import SettingsError

WRONG = [
    ("DATABASE_URL", "mysql://localhost/db", "must be sqlite:///"),
    ("DATABASE_URL", "sqlite://relative.sqlite3", "must be sqlite:///"),
    ("HTTP_PORT", "http", "integer"),
    ("HTTP_PORT", "70000", "65535"),
    ("PUBLIC_URL", "example.com", "https://example.com"),
    ("DISCORD_API_URL", "ftp://x", "https://example.com"),
    ("TELEGRAM_API_URL", "x", "https://example.com"),
    ("SMTP_PORT", "0", "greater than or equal to 1"),
    ("SMTP_SECURITY", "ssl", "'none', 'starttls' or 'tls'"),
    ("SMTP_FROM", "nobody", "e-mail address"),
    ("PLAN_FREE_EVENTS", "-1", "greater than or equal to 0"),
    ("PLAN_PRO_EVENTS", "many", "integer"),
    ("DEFAULT_PLAN", "gold", "'free', 'pro' or 'enterprise'"),
    ("CONTACT", "x" * 201, "one line of up to 200 characters"),
    ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ("LOG_FORMAT", "xml", "'console' or 'json'"),
]


@pytest.mark.parametrize(("name", "value", "hint"), WRONG)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    monkeypatch.setenv(f"PINGPILOT_{name}", value)

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert str(error.value).startswith(f"PINGPILOT_{name} is wrong")
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", "mysql://root:hunter2@localhost/db")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "missing"),
    [("SMTP_HOST", "SMTP_FROM"), ("SMTP_USERNAME", "SMTP_PASSWORD"), ("SMTP_PASSWORD", "SMTP_USERNAME")],
)
def test_settings_that_need_each_other_say_so(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    monkeypatch.setenv(f"PINGPILOT_{given}", "mail.example.com")

    with pytest.raises(SettingsError, match=f"PINGPILOT_{missing} is missing"):
        load_settings()


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PINGPILOT_HTTP_PORT=1111\nPINGPILOT_LOG_LEVEL=debug\n")
    monkeypatch.setenv("PINGPILOT_HTTP_PORT", "2222")

    settings = load_settings()

    assert (settings.http_port, settings.log_level) == (2222, "DEBUG")


def test_an_empty_value_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DISCORD_TOKEN", "")
    monkeypatch.setenv("PINGPILOT_SMTP_PORT", "")

    settings = load_settings()

    assert settings.configured_channels == []


def test_without_a_database_it_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings()

    assert settings.database == f"sqlite://{tmp_path}/data/pingpilot.sqlite3"


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_mail_port_follows_the_security(
    monkeypatch: pytest.MonkeyPatch, security: str, port: int
) -> None:
    monkeypatch.setenv("PINGPILOT_SMTP_SECURITY", security)

    assert load_settings().of(EmailSettings).port_in_use == port


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:81"),
        ("::1", "http://[::1]:81"),
        ("0.0.0.0", "http://localhost:81"),  # noqa: S104  # every address of this machine
    ],
)
def test_the_base_url_is_one_that_can_be_reached(
    monkeypatch: pytest.MonkeyPatch, host: str, url: str
) -> None:
    monkeypatch.setenv("PINGPILOT_HTTP_HOST", host)

    assert load_settings().base_url(81) == url


def test_settings_can_not_be_changed_later() -> None:
    settings = load_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1  # type: ignore[misc]


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DISCORD_TOKEN", "hunter2")

    settings = load_settings()

    assert "hunter2" not in repr(settings)
    assert settings.secrets == ("hunter2",)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("127.0.0.1", ("127.0.0.1",)),
        ("10.0.0.0/8, fd00::/8", ("10.0.0.0/8", "fd00::/8")),
        (" , ", ()),
    ],
)
def test_trusted_proxies_are_written_with_commas_between(
    monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PINGPILOT_TRUSTED_PROXIES", written)

    settings = load_settings()

    assert settings.trusted_proxies == read


def test_a_trusted_proxy_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_TRUSTED_PROXIES", "127.0.0.1, everybody")

    with pytest.raises(SettingsError, match="PINGPILOT_TRUSTED_PROXIES is wrong: it must be addresses"):
        load_settings()
