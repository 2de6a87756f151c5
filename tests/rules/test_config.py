"""Settings: where they come from, and the sentence a wrong one gets."""

from pathlib import Path
from typing import Any

import pytest

from pingpilot.config import known_variables, load_settings, unknown_variables
from pingpilot.email.settings import EmailSettings
from pingpilot.errors import SettingsError
from pingpilot.telemetry.setting_warnings import setting_warnings

WRONG = [
    ("DATABASE_URL", "mysql://localhost/db", "must be sqlite:///"),
    ("DATABASE_URL", "sqlite://relative.sqlite3", "must be sqlite:///"),
    ("DATABASE_DIRECT_URL", "sqlite:////tmp/one.sqlite3", "it must be postgres://user:password@host"),
    ("DATABASE_DIRECT_URL", "postgres://db.example.com", "must name the database at its end"),
    ("HTTP_PORT", "http", "it must be a whole number from 0 to 65535."),
    ("HTTP_PORT", "70000", "it must be a whole number from 0 to 65535."),
    ("EVENT_RETENTION_DAYS", "1.5", "it must be a whole number, 1 or more."),
    ("PUBLIC_URL", "example.com", "https://example.com"),
    ("DISCORD_API_URL", "ftp://x", "https://example.com"),
    ("TELEGRAM_API_URL", "x", "https://example.com"),
    ("SMTP_PORT", "0", "it must be a whole number from 1 to 65535."),
    ("SMTP_SECURITY", "ssl", "it must be none, starttls or tls."),
    ("SMTP_FROM", "nobody", "e-mail address"),
    ("SMTP_FROM", "Lovelace, Ada <ping@example.org>", '"Lovelace, Ada" <ping@example.org>'),
    ("SMTP_HELO", "box", "full host name"),
    ("SMTP_HELO", "[192.0.2.999]", "full host name"),
    ("SMTP_CA_FILE", "/nowhere/ca.pem", "No such file"),
    ("SMTP_CA_FILE", "/etc/passwd", "there is none in it"),
    ("TELEGRAM_WEBHOOK", "maybe", "must be on or off"),
    ("WEBHOOK_ALLOW", "loopback", "must be addresses or networks with commas between"),
    ("WEBHOOK_ALLOW", "10.0.0.0/33", "must be addresses or networks with commas between"),
    ("PLAN_FREE_EVENTS", "-1", "it must be a whole number, 0 or more."),
    ("PLAN_PRO_EVENTS", "many", "whole number"),
    ("DEFAULT_PLAN", "gold", "free, pro or enterprise"),
    ("CONTACT", "x" * 201, "one line of up to 200 characters"),
    ("SIGN_UP", "everybody", "it must be off, invite or open."),
    ("SIGN_IN_HEADER", "Remote Email", "must be the name of a header, such as Remote-Email"),
    ("LOG_LEVEL", "loud", "it must be DEBUG, INFO, WARNING or ERROR."),
    ("LOG_FORMAT", "xml", "it must be console or json."),
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


def test_tokens_of_several_bots_have_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_TELEGRAM_TOKEN", " 42:AAG-one, 43:AAG-two ,")
    monkeypatch.setenv("PINGPILOT_DISCORD_TOKEN", "MTA0ODU3Ng.GhXwYz.one,MTA0ODU3Nw.GhXwYz.two")

    settings = load_settings()

    bots = [each.bot for own in settings.channels.values() for each in own.bots if each.bot]
    assert bots == ["discord:1048576", "discord:1048577", "telegram:42", "telegram:43"]
    assert {"42:AAG-one", "43:AAG-two"} < set(settings.secrets)
    assert settings.environment["PINGPILOT_TELEGRAM_TOKEN"] == "42:AAG-one,43:AAG-two"


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ("42:AAG-one,42:AAG-two", "has two tokens of one bot"),
        (",".join(f"{number}:AAG" for number in range(21)), "has more than 20 tokens"),
    ],
)
def test_tokens_that_make_no_sense_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, tokens: str, said: str
) -> None:
    monkeypatch.setenv("PINGPILOT_TELEGRAM_TOKEN", tokens)

    with pytest.raises(SettingsError, match=f"PINGPILOT_TELEGRAM_TOKEN {said}"):
        load_settings()


def test_all_that_is_wrong_is_told_at_once_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "HTTP_PORT": "http",
        "LOG_LEVEL": "loud",
        "DISCORD_TOKEN": "two words",
        "SMTP_HOST": "mail.example.com",
        "SMTP_PORT": "0",
        "SMTP_FROM": "nobody",
        "SMTP_USERNAME": "ada",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"PINGPILOT_{name}", value)

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert [line.split(":")[0] for line in str(error.value).split("\n")] == [
        "PINGPILOT_HTTP_PORT is wrong",
        "PINGPILOT_LOG_LEVEL is wrong",
        "PINGPILOT_DISCORD_TOKEN is wrong",
        "PINGPILOT_SMTP_PORT is wrong",
        "PINGPILOT_SMTP_FROM is wrong",
        "PINGPILOT_SMTP_PASSWORD is missing",
    ]


def test_a_file_that_is_not_text_is_told_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PINGPILOT_HTTP_PORT=\xff\n")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert str(error.value) == "The file .env is not UTF-8 text: save it as UTF-8."


def test_lines_of_the_file_that_say_nothing_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["PINGPILOT_HTTP_PORT=1111", "PINGPILOT_LOG_LEVEL: DEBUG", "", 'PINGPILOT_SMTP_FROM="hunter2']
    (tmp_path / ".env").write_text("\n".join(lines) + "\n")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert error.value.sentences == tuple(
        f"Line {line} of .env can't be read: write NAME=value, and close each quote." for line in (2, 4)
    )
    assert (capfd.readouterr().err, caplog.text) == ("", "")


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()

    with pytest.raises(SettingsError, match="is a folder"):
        load_settings()


def test_a_byte_order_mark_hides_no_setting(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PINGPILOT_HTTP_PORT=1111\nPINGPILOT_TYPO=1\n", encoding="utf-8-sig")

    assert load_settings().http_port == 1111
    assert unknown_variables() == ["PINGPILOT_TYPO"]


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


def test_a_way_past_the_pooler_is_told_where_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DATABASE_DIRECT_URL", "postgres://ada:hunter2@db.example.com/shop")

    with pytest.raises(SettingsError, match="PINGPILOT_DATABASE_URL names no PostgreSQL") as error:
        load_settings()

    assert "hunter2" not in str(error.value)


def test_what_needs_a_session_goes_past_the_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    pooler, server = "postgres://ada:hunter2@localhost:6432/shop", "postgres://ada:hunter3@localhost/shop"
    monkeypatch.setenv("PINGPILOT_DATABASE_URL", pooler)

    without = load_settings()
    monkeypatch.setenv("PINGPILOT_DATABASE_DIRECT_URL", server)
    settings = load_settings()

    assert (without.database_direct, without.secrets) == (pooler, ("hunter2",))
    assert (settings.database, settings.database_direct) == (pooler, server)
    assert settings.secrets == ("hunter2", "hunter3")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PINGPILOT_HTTP_PORT=1111\nPINGPILOT_LOG_LEVEL=debug\n")
    monkeypatch.setenv("PINGPILOT_HTTP_PORT", "2222")

    settings = load_settings()

    assert (settings.http_port, settings.log_level) == (2222, "DEBUG")


def test_an_empty_value_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINGPILOT_DISCORD_TOKEN", "")
    monkeypatch.setenv("PINGPILOT_SMTP_PORT", "")

    settings = load_settings()

    assert settings.direct_channels == []


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


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://Shop.example/, http://localhost:3000", ("https://shop.example", "http://localhost:3000")),
        ("https://shop.example:443,http://[::1]:80", ("https://shop.example", "http://[::1]")),
        ("https://münchen.example:8443", ("https://xn--mnchen-3ya.example:8443",)),
        ("*", ("*",)),
    ],
)
def test_origins_are_written_with_commas_between(
    monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PINGPILOT_CORS_ORIGINS", written)

    assert load_settings().cors_origins == read


@pytest.mark.parametrize(
    "written", ["shop.example", "https://shop.example/page", "ftp://shop.example", "https://ü..de"]
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("PINGPILOT_CORS_ORIGINS", written)

    with pytest.raises(SettingsError, match="PINGPILOT_CORS_ORIGINS is wrong: it must be origins"):
        load_settings()


def test_another_process_gets_the_same_settings_by_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = {"email": {"host": "localhost", "sender": "a@example.com"}, "telegram": {"token": "1:secret"}}
    settings = load_settings(
        channels=own,
        data_dir=tmp_path / "data",
        trusted_proxies=("127.0.0.1", "10.0.0.0/8"),
        http_port=1234,
        sign_up="open",
    )

    for name, value in settings.environment.items():
        monkeypatch.setenv(name, value)
    same = load_settings()

    assert same == settings
    assert same.channels == settings.channels
    assert {*settings.environment} <= {*known_variables()}


def test_settings_of_signing_in_that_are_hardly_meant_so_are_warned_of() -> None:
    def warnings(**given: Any) -> str:
        return " ".join(each.text for each in setting_warnings(load_settings(**given)))

    everywhere = warnings(sign_in_header="Remote-Email", trusted_proxies=("10.0.0.1", "0.0.0.0/0"))
    assert "PINGPILOT_SIGN_IN_HEADER has no effect" in warnings(sign_in_header="Remote-Email")
    assert "Anybody can sign in as anybody" in everywhere
    assert "PINGPILOT_SIGN_UP=open needs e-mails" in warnings(sign_up="open")
    assert "SIGN" not in warnings(sign_in_header="Remote-Email", trusted_proxies=("127.0.0.1",))
