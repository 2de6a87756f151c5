"""The settings: read once from the environment and `.env`, checked, frozen.

Every name in here is an environment variable with the prefix `PINGPILOT_`.
"""

import re
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
)

from pingpilot.channels import DISCORD, EMAIL, TELEGRAM
from pingpilot.errors import SettingsError

PREFIX = "PINGPILOT_"
DISCORD_API = "https://discord.com/api/v10"
TELEGRAM_API = "https://api.telegram.org"
_OF_THE_CLIENT = ("url", "api_key")
SMTP_PORTS = {"none": 25, "starttls": 587, "tls": 465}

_DATABASE_URL = re.compile(r"(sqlite:///.+|(postgres|postgresql|asyncpg)://.+/.+)")
_HTTP_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*")
_MAILBOX = re.compile(r'([^<>"\r\n]*|"[^"\r\n]*")<[^@\s<>]+@[^@\s<>]+>|[^@\s<>]+@[^@\s<>]+')


def _database_url(url: str) -> str:
    if not _DATABASE_URL.fullmatch(url):
        raise ValueError(
            "must be sqlite:///absolute/path.sqlite3 or postgres://user:password@host:port/database"
        )
    return url


def _http_url(url: str) -> str:
    if not _HTTP_URL.fullmatch(url):
        raise ValueError("must be an address like https://example.com")
    return url.rstrip("/")


def _mailbox(text: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise ValueError("must be an e-mail address, such as PingPilot <alerts@example.com>")
    return text


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _token(value: Any) -> Any:
    """Take off what comes along when a token is copied; nothing left is no token."""
    if not isinstance(value, str):
        return value
    token = value.strip()
    if re.search(r"[^!-~]", token):
        raise ValueError("must be the token alone, without spaces or other signs")
    return token or None


def _networks(value: Any) -> Any:
    """Return addresses and networks written with commas between them."""
    if not isinstance(value, str):
        return value
    networks = tuple(part.strip() for part in value.split(",") if part.strip())
    for each in networks:
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise ValueError(
                "must be addresses or networks with commas between, such as 127.0.0.1, 10.0.0.0/8"
            ) from None
    return networks


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Token = Annotated[SecretStr | None, BeforeValidator(_token)]


class Settings(BaseSettings):
    """How this daemon runs; made by `load_settings`, then handed to whoever needs it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Path("data")
    database_url: Annotated[str, AfterValidator(_database_url)] | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    public_url: HttpUrl | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)] = ()

    discord_token: Token = None
    discord_api_url: HttpUrl = DISCORD_API
    telegram_token: Token = None
    telegram_api_url: HttpUrl = TELEGRAM_API

    smtp_host: str | None = None
    smtp_port: int | None = Field(default=None, ge=1, le=65535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Annotated[Literal["none", "starttls", "tls"], BeforeValidator(_lower)] = "starttls"
    smtp_from: Annotated[str, AfterValidator(_mailbox)] | None = None

    plan_free_events: int = Field(default=100, ge=0)
    plan_pro_events: int = Field(default=1000, ge=0)

    event_retention_days: int = Field(default=90, ge=1)

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"
    log_format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = "console"

    @model_validator(mode="after")
    def _smtp_is_whole(self) -> "Settings":
        if self.smtp_host and not self.smtp_from:
            raise SettingsError(
                f"{PREFIX}SMTP_FROM is missing: {PREFIX}SMTP_HOST is set, so name the sender's address too."
            )
        if bool(self.smtp_username) != bool(self.smtp_password):
            missing = "SMTP_PASSWORD" if self.smtp_username else "SMTP_USERNAME"
            raise SettingsError(f"{PREFIX}{missing} is missing: a user name and a password go together.")
        return self

    @cached_property
    def database(self) -> str:
        """The database's URL: the one set, or a SQLite file in the data folder."""
        return self.database_url or f"sqlite://{(self.data_dir / 'pingpilot.sqlite3').absolute()}"

    def base_url(self, port: int) -> str:
        """Return where browsers and mail programs reach this daemon, without a slash at the end.

        `port` is the one in use, which differs from `http_port` when that is 0.
        """
        return self.public_url or self.listening_url(port)

    def listening_url(self, port: int) -> str:
        """Return where programs on this machine reach the daemon."""
        return f"http://{_reachable(self.http_host)}:{port}"

    @cached_property
    def smtp_port_in_use(self) -> int:
        """The SMTP port: the one set, or the customary one of the chosen security."""
        return self.smtp_port or SMTP_PORTS[self.smtp_security]

    @cached_property
    def missing_for(self) -> dict[str, str | None]:
        """The variable each channel lacks to be on, None where it has all it needs."""
        return {
            DISCORD.name: None if self.discord_token else f"{PREFIX}DISCORD_TOKEN",
            TELEGRAM.name: None if self.telegram_token else f"{PREFIX}TELEGRAM_TOKEN",
            EMAIL.name: None if self.smtp_host else f"{PREFIX}SMTP_HOST",
        }

    @property
    def configured_channels(self) -> list[str]:
        """The channels this daemon can send through, in the customary order."""
        return [name for name, missing in self.missing_for.items() if missing is None]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never stand in a log."""
        kept = (self.discord_token, self.telegram_token, self.smtp_password)
        return tuple(secret.get_secret_value() for secret in kept if secret)


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104  # every address of this machine
        return "localhost"
    return f"[{host}]" if ":" in host else host


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment and `.env`; `overrides` win over both.

    Raises `SettingsError`, whose text is one sentence that names the variable and never its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        raise SettingsError(_sentence(exc)) from None
    except UnicodeDecodeError:
        raise SettingsError("The file .env is not UTF-8 text: save it as UTF-8.") from None


def known_variables() -> list[str]:
    """Return the variables that mean something to us, the client's included."""
    return [f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *_OF_THE_CLIENT)]


def unknown_variables() -> list[str]:
    """Return what looks like a setting of ours in the environment or `.env`, and is none: typing errors."""
    given = {
        name.upper() for kind in (EnvSettingsSource, DotEnvSettingsSource) for name in kind(Settings).env_vars
    }
    return sorted(name for name in given - {*known_variables()} if name.startswith(PREFIX))


def _sentence(exc: ValidationError) -> str:
    error = exc.errors(include_input=False, include_url=False)[0]
    name = f"{PREFIX}{str(error['loc'][0]).upper()}" if error["loc"] else "A setting"
    problem = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} is wrong: it {_worded(problem)}."


def _worded(problem: str) -> str:
    return problem if problem.startswith(("must", "should")) else f"was refused ({problem})"
