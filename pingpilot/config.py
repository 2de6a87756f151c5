"""The settings: read once from the environment and `.env`, checked, frozen.

Every name in here is an environment variable with the prefix `PINGPILOT_`.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from annotated_types import Ge, Le
from dotenv.parser import parse_stream
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    SettingsConfigDict,
)

from pingpilot.channels import CHANNELS, load
from pingpilot.database_url import check_database_url, check_postgres_url, parse_postgres_url
from pingpilot.errors import SettingsError
from pingpilot.listening import ANY_IPV6

PREFIX = "PINGPILOT_"
MOST_CONTACT = 200
MOST_BOTS = 20
"""Tokens of one channel."""
_FILE = ".env"
_ENCODING = "utf-8-sig"  # some editors write a byte order mark, which would be part of the first name
_OF_THE_CLIENT = ("url", "api_key")

_EVERYWHERE = ("0.0.0.0", ANY_IPV6)  # noqa: S104  # every address of this machine
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")
_IMPLIED_PORTS = {"http": ":80", "https": ":443"}
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_HTTP_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*")


def _http_url(url: str) -> str:
    if not _HTTP_URL.fullmatch(url):
        raise ValueError("must be an address like https://example.com")
    return url.rstrip("/")


def _one_line(text: str) -> str:
    if not text.isprintable() or len(text) > MOST_CONTACT:
        raise ValueError(f"must be one line of up to {MOST_CONTACT} characters, such as ops@example.com")
    return text.strip()


def lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _tokens(value: Any) -> Any:
    """Return tokens with a comma between them, without what comes along when they are copied; nothing left is
    no token.
    """
    if not isinstance(value, str):
        return value
    tokens = [token for each in value.split(",") if (token := each.strip())]
    if any(re.search(r"[^!-~]", each) for each in tokens):
        raise ValueError("must be the token alone, without spaces or other signs; of several, with commas")
    return ",".join(tokens) or None


def networks(value: Any) -> Any:
    """Return addresses and networks written with commas between them."""
    if not isinstance(value, str):
        return value
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    for each in found:
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise ValueError(
                "must be addresses or networks with commas between, such as 127.0.0.1, 10.0.0.0/8"
            ) from None
    return found


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name.strip()):
        raise ValueError("must be the name of a header, such as Remote-Email")
    return name.strip()


def _as_sent(origin: str) -> str:
    """Return an origin as browsers send it: a domain in ASCII, and no port that its scheme implies."""
    scheme, mark, host = origin.partition("://")
    with suppress(UnicodeError):  # no domain: refused as it is
        host = host if host.isascii() else host.encode("idna").decode()
    return f"{scheme}{mark}{host.removesuffix(_IMPLIED_PORTS.get(scheme, ''))}"


def _origins(value: Any) -> Any:
    """Return origins written with commas between them, as browsers send them."""
    if not isinstance(value, str):
        return value
    origins = tuple(_as_sent(part.strip().rstrip("/").lower()) for part in value.split(",") if part.strip())
    if not all(each == "*" or _ORIGIN.fullmatch(each) for each in origins):
        raise ValueError(
            "must be origins with commas between, such as https://shop.example.com, or * for all"
        )
    return origins


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Tokens = Annotated[SecretStr | None, BeforeValidator(_tokens)]


class ChannelSettings(BaseSettings):
    """Base of each channel's own settings; a subclass sets `env_prefix`, which begins with `PREFIX`."""

    model_config = SettingsConfigDict(
        env_file=_FILE, env_file_encoding=_ENCODING, env_ignore_empty=True, extra="ignore", frozen=True
    )

    @property
    def missing(self) -> str | None:
        """The variable that the channel lacks to be on, None where it has all it needs."""
        raise NotImplementedError

    @property
    def bot(self) -> str | None:
        """The name of the bot that sends, which one daemon at a time leads; None where all send alike.

        Only settings with one token are asked: see `bots`.
        """
        return None

    @property
    def bots(self) -> tuple[Self, ...]:
        """These settings once for each bot that sends, with its token alone."""
        return (self,)

    def check_address(self, text: str) -> str:
        """Return the address of a new destination as it is stored. Raises `InvalidInput`.

        Only a channel that `takes_addresses` is asked.
        """
        raise NotImplementedError

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of all secret fields."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the name of a field's environment variable."""
        return _variable(cls, field)


class BotSettings(ChannelSettings):
    """Base of the settings of a channel whose messages bots send: one token, or several with commas between
    them.
    """

    token: Tokens = None

    @property
    def missing(self) -> str | None:
        return None if self.token else self.variable("token")

    @property
    def bots(self) -> tuple[Self, ...]:
        own = self.token.get_secret_value().split(",") if self.token else ()
        return tuple(self.model_copy(update={"token": SecretStr(each)}) for each in own)

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(each for value in super().secrets for each in value.split(","))

    @model_validator(mode="after")
    def _names_each_bot_once(self) -> Self:
        names = [each.bot for each in self.bots]
        if len(names) > MOST_BOTS:
            raise SettingsError(f"{self.variable('token')} has more than {MOST_BOTS} tokens: take some out.")
        if len(set(names)) < len(names):
            raise SettingsError(f"{self.variable('token')} has two tokens of one bot: take one of them out.")
        return self


def unnamed_bot(channel: str, token: SecretStr) -> str:
    """Return a name for the bot of a token in which none can be read: it can't be turned back into it."""
    return f"{channel}:{sha256(token.get_secret_value().encode()).hexdigest()[:16]}"


T = TypeVar("T", bound=ChannelSettings)
S = TypeVar("S", bound=BaseSettings)


class Settings(BaseSettings):
    """How this daemon runs; made by `load_settings`, then handed to whoever needs it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=_FILE,
        env_file_encoding=_ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    _channels: dict[str, ChannelSettings] = PrivateAttr(default_factory=dict)

    data_dir: Path = Path("data")
    database_url: Annotated[str, AfterValidator(check_database_url)] | None = None
    database_direct_url: Annotated[str, AfterValidator(check_postgres_url)] | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    public_url: HttpUrl | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(networks)] = ()
    sign_in_header: Annotated[str, AfterValidator(_header)] | None = None
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ()

    plan_free_events: int = Field(default=100, ge=0)
    plan_pro_events: int = Field(default=1000, ge=0)
    default_plan: Annotated[Literal["free", "pro", "enterprise"], BeforeValidator(lowered)] = "free"
    sign_up: Annotated[Literal["off", "invite", "open"], BeforeValidator(lowered)] = "off"
    contact: Annotated[str, AfterValidator(_one_line)] | None = None

    event_retention_days: int = Field(default=90, ge=1)

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    ] = "INFO"
    log_format: Annotated[Literal["console", "json"], BeforeValidator(lowered)] = "console"

    @model_validator(mode="after")
    def _is_whole(self) -> "Settings":
        if self.database_direct_url and self.database.startswith("sqlite:"):
            raise SettingsError(
                f"{PREFIX}DATABASE_DIRECT_URL is set, and {PREFIX}DATABASE_URL names no PostgreSQL: set that "
                "too, as the pooler's address, or remove this one."
            )
        return self

    @cached_property
    def database(self) -> str:
        """The database's URL: the one set, or a SQLite file in the data folder."""
        return self.database_url or f"sqlite://{(self.data_dir / 'pingpilot.sqlite3').absolute()}"

    @property
    def database_direct(self) -> str:
        """The URL past any pooler, for what needs a session of its own: LISTEN, and migrations."""
        return self.database_direct_url or self.database

    @property
    def database_variable(self) -> str:
        """The variable that says where the database is."""
        return f"{PREFIX}{'DATABASE_URL' if self.database_url else 'DATA_DIR'}"

    @property
    def database_direct_variable(self) -> str:
        """The variable that says where `database_direct` is."""
        return f"{PREFIX}DATABASE_DIRECT_URL" if self.database_direct_url else self.database_variable

    @property
    def listens_everywhere(self) -> bool:
        """Whether the API listens on every address of this machine."""
        return self.http_host in _EVERYWHERE

    def base_url(self, port: int) -> str:
        """Return where browsers and mail programs reach this daemon, without a slash at the end.

        `port` is the one in use, which differs from `http_port` when that is 0.
        """
        return self.public_url or self.listening_url(port)

    def listening_url(self, port: int) -> str:
        """Return where programs on this machine reach the daemon."""
        host = "localhost" if self.http_host in _EVERYWHERE else self.http_host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def of(self, kind: type[T]) -> T:
        """Return one channel's own settings by their class."""
        return next(each for each in self.channels.values() if isinstance(each, kind))

    @property
    def channels(self) -> Mapping[str, "ChannelSettings"]:
        """Each channel's own settings, by the channel's name, in the customary order."""
        return self._channels

    @property
    def configured_channels(self) -> list[str]:
        """The channels this daemon can send through, in the customary order."""
        return [name for name, own in self.channels.items() if own.missing is None]

    @property
    def direct_channels(self) -> list[str]:
        """Those of them that each account has a destination of its own on: nobody need add one."""
        return [name for name in self.configured_channels if CHANNELS[name].has_direct]

    @property
    def bots(self) -> list[str]:
        """The names of the bots that speak for it, which say nothing of their tokens."""
        return [each.bot for own in self.channels.values() for each in own.bots if each.bot]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that give another process these settings."""
        return {
            kind.variable(name) if isinstance(kind, ChannelSettings) else f"{PREFIX}{name.upper()}": _text(
                value
            )
            for kind in (self, *self.channels.values())
            for name in type(kind).model_fields
            if (value := getattr(kind, name)) is not None
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never stand in a log."""
        servers = {url for url in (self.database, self.database_direct) if not url.startswith("sqlite:")}
        passwords = {parse_postgres_url(url).password for url in servers}
        return (
            *(secret for own in self.channels.values() for secret in own.secrets),
            *(password for password in sorted(passwords, key=str) if password),
        )


def load_settings(*, channels: Mapping[str, Mapping[str, Any]] | None = None, **overrides: Any) -> Settings:
    """Read the settings from the environment and `.env`; `overrides` win over both.

    `channels` are such overrides for the channels' own settings, by the channel's name.
    Raises `SettingsError` with a sentence for each setting that is wrong, which never holds its value.
    """
    _check_file()
    problems: list[str] = []
    settings = _read(Settings, overrides, problems)
    own = {
        name: _read(load(kind.settings), (channels or {}).get(name, {}), problems)
        for name, kind in CHANNELS.items()
    }
    if settings is None or problems:
        raise SettingsError(*problems)
    settings._channels.update({name: each for name, each in own.items() if each is not None})
    return settings


def _check_file() -> None:
    """Raise `SettingsError` for a `.env` of which something would be passed over in silence."""
    try:
        with Path(_FILE).open(encoding=_ENCODING) as file:
            wrong = []
            for part in (each.original for each in parse_stream(file) if each.error):
                blank = len(part.string) - len(part.string.lstrip())  # empty lines before it belong to it
                wrong.append(part.line + part.string.count("\n", 0, blank))
    except FileNotFoundError:
        return
    except IsADirectoryError:  # which a container engine makes of a file to mount that is not there
        raise SettingsError("The file .env is a folder: put the file in its place, or remove it.") from None
    except UnicodeDecodeError:
        raise SettingsError("The file .env is not UTF-8 text: save it as UTF-8.") from None
    except PermissionError:
        raise SettingsError("The file .env can't be read: give this user the right, or remove it.") from None
    if wrong:
        raise SettingsError(
            *(f"Line {line} of .env can't be read: write NAME=value, and close each quote." for line in wrong)
        )


def _read(kind: type[S], overrides: Mapping[str, Any], problems: list[str]) -> S | None:
    """Return the settings of one kind, None with a sentence each in `problems` where they are wrong."""
    try:
        return kind(**overrides)
    except SettingsError as exc:
        problems += exc.sentences
    except ValidationError as exc:
        wrong = {_field(kind, error): _sentence(kind, error) for error in exc.errors(include_url=False)}
        problems += wrong.values()
        # What is wrong between settings shows once each by itself is well
        defaults = {name: kind.model_fields[name].get_default(call_default_factory=True) for name in wrong}
        try:
            kind(**{**overrides, **defaults})
        except SettingsError as between:
            named = tuple(_variable(kind, name) for name in wrong)
            problems += [each for each in between.sentences if not each.startswith(named)]
    return None


def _field(kind: type[BaseSettings], error: ErrorDetails) -> str:
    """Return the name of the field that an error is about; pydantic may give its alias."""
    named = str(error["loc"][0])
    return next(name for name in kind.model_fields if named in (name, _variable(kind, name)))


def _sentence(kind: type[BaseSettings], error: ErrorDetails) -> str:
    """Say in our words what is wrong with a setting, without its value."""
    name = _field(kind, error)
    info, type_ = kind.model_fields[name], error["type"]
    least = next((each.ge for each in info.metadata if isinstance(each, Ge)), None)
    most = next((each.le for each in info.metadata if isinstance(each, Le)), None)
    if type_ == "value_error":
        problem = str(error["ctx"]["error"])
    elif type_ == "literal_error":
        problem = f"must be {error['ctx']['expected']}".replace("'", "")
    elif type_.startswith("bool"):
        problem = "must be on or off"
    elif least is not None or type_.startswith(("int", "float")):
        span = (
            f" from {least} to {most}"
            if most is not None
            else f", {least} or more"
            if least is not None
            else ""
        )
        problem = f"must be a {'number' if type_.startswith('float') else 'whole number'}{span}"
    else:
        problem = "is not of the form that .env.example shows"
    return f"{_variable(kind, name)} is wrong: it {problem}."


def _variable(kind: type[BaseSettings], field: str) -> str:
    """Return a field's environment variable, given by the field's name or, as pydantic does, its alias."""
    alias = kind.model_fields[field].validation_alias if field in kind.model_fields else field
    return alias if isinstance(alias, str) else f"{kind.model_config['env_prefix']}{field.upper()}"


def _text(value: Any) -> str:
    """Return a setting's value as it stands in the environment."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value.absolute() if isinstance(value, Path) else value)


def variables() -> list[str]:
    """Return the variables of all settings, the channels' own included."""
    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for kind in CHANNELS.values():
        own: type[ChannelSettings] = load(kind.settings)
        names += [own.variable(field) for field in own.model_fields]
    return names


def known_variables() -> list[str]:
    """Return the variables that mean something to us, the client's included."""
    return [*variables(), *(f"{PREFIX}{name.upper()}" for name in _OF_THE_CLIENT)]


def unknown_variables() -> list[str]:
    """Return what looks like a setting of ours in the environment or `.env` and is not: typing errors."""
    given = {
        name.upper() for kind in (EnvSettingsSource, DotEnvSettingsSource) for name in kind(Settings).env_vars
    }
    return sorted(name for name in given - {*known_variables()} if name.startswith(PREFIX))
