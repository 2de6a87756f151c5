"""The mail server of the settings."""

import ssl
from dataclasses import dataclass

from pydantic import SecretStr

from pingpilot.email.answers import Login, Security
from pingpilot.email.settings import EmailSettings


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `tls_context` None: the system's certificates, and those in `ca_file`.

    `helo` is the name we greet with, None for this machine's own.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: SecretStr | None = None
    tls_context: ssl.SSLContext | None = None
    ca_file: str | None = None
    helo: str | None = None

    @classmethod
    def of(cls, settings: EmailSettings) -> "MailServer":
        """Return the server of the settings, which must name one."""
        return cls(
            host=settings.host or "",
            port=settings.port_in_use,
            security=settings.security,
            username=settings.username,
            password=settings.password,
            ca_file=settings.ca_file,
            helo=settings.helo,
        )

    @property
    def login(self) -> Login:
        """What advice about its answers depends on."""
        return Login(user=self.username is not None, security=self.security)
