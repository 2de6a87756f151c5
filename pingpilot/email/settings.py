"""The settings of the e-mail channel: `PINGPILOT_SMTP_…`."""

import re
import ssl
from contextlib import suppress
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from pingpilot.accounts.email_address import normal_email
from pingpilot.config import PREFIX, ChannelSettings, lowered
from pingpilot.email.resolving import FULL_NAME
from pingpilot.email.sender import mailbox
from pingpilot.errors import SettingsError

SMTP_PORTS = {"none": 25, "starttls": 587, "tls": 465}


def _sender(text: str) -> str:
    mailbox(text)
    return text


def _greeting(name: str) -> str:
    is_good = FULL_NAME.fullmatch(name) is not None
    if literal := re.fullmatch(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]", name):
        with suppress(ValueError):
            ip_address(literal[1])
            is_good = True
    if not is_good:
        raise ValueError(
            "must be a full host name such as pingpilot.example.com, or an address such as [192.0.2.1]"
        )
    return name


def _certificates(file: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError as exc:  # ssl.SSLError is one too
        problem = "there is none in it" if isinstance(exc, ssl.SSLError) else exc.strerror or str(exc)
        raise ValueError(f"must be a file with certificates in PEM form ({problem})") from None
    return file


class EmailSettings(ChannelSettings):
    """The mail server that takes our mail, and the sender's address."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SMTP_", validate_by_name=True)

    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    security: Annotated[Literal["none", "starttls", "tls"], BeforeValidator(lowered)] = "starttls"
    sender: Annotated[str, AfterValidator(_sender)] | None = Field(
        default=None, validation_alias=f"{PREFIX}SMTP_FROM"
    )

    ca_file: Annotated[str, AfterValidator(_certificates)] | None = None
    helo: Annotated[str, AfterValidator(_greeting)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "EmailSettings":
        missing = []
        if self.host and not self.sender:
            missing.append(
                f"{PREFIX}SMTP_FROM is missing: {PREFIX}SMTP_HOST is set, so name the sender's address too."
            )
        if bool(self.username) != bool(self.password):
            other = self.variable("password" if self.username else "username")
            missing.append(f"{other} is missing: a user name and a password go together.")
        if missing:
            raise SettingsError(*missing)
        return self

    @property
    def missing(self) -> str | None:
        return None if self.host else self.variable("host")

    def check_address(self, text: str) -> str:
        return normal_email(text)

    @cached_property
    def port_in_use(self) -> int:
        """The port: the one set, or the customary one of the chosen security."""
        return self.port or SMTP_PORTS[self.security]
