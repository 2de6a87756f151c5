"""The settings of the e-mail channel: `PINGPILOT_SMTP_…`."""

import re
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from pingpilot.config import PREFIX, ChannelSettings, lowered
from pingpilot.errors import SettingsError

SMTP_PORTS = {"none": 25, "starttls": 587, "tls": 465}
_MAILBOX = re.compile(r'([^<>"\r\n]*|"[^"\r\n]*")<[^@\s<>]+@[^@\s<>]+>|[^@\s<>]+@[^@\s<>]+')


def _mailbox(text: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise ValueError("must be an e-mail address, such as PingPilot <alerts@example.com>")
    return text


class EmailSettings(ChannelSettings):
    """The mail server that takes our mail, and the sender's address."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SMTP_", validate_by_name=True)

    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    security: Annotated[Literal["none", "starttls", "tls"], BeforeValidator(lowered)] = "starttls"
    sender: Annotated[str, AfterValidator(_mailbox)] | None = Field(
        default=None, validation_alias=f"{PREFIX}SMTP_FROM"
    )

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

    @cached_property
    def port_in_use(self) -> int:
        """The port: the one set, or the customary one of the chosen security."""
        return self.port or SMTP_PORTS[self.security]
