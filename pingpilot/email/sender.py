"""The sender: one reading of it for the header and for the envelope."""

import re
from dataclasses import dataclass
from email.headerregistry import Address

from pingpilot.accounts.email_address import split_address

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
# RFC 5322, 3.2.3, without the full stop, which is clear enough in "Acme Inc."
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,"]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name, which may be empty, and an address, its domain in ASCII."""

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        """The address alone, as it stands in the envelope."""
        return f"{self.local}@{self.domain}"

    @property
    def header(self) -> Address:
        """The whole of it, as it stands in a header."""
        return Address(self.name, username=self.local, domain=self.domain)


def mailbox(text: str) -> Mailbox:
    """Read `ping@example.com`, `PingPilot <ping@example.com>` or `"Lovelace, Ada" <ping@example.com>`.

    Raises `ValueError`, whose text tells the right spelling, for what may mean more than one thing.
    """
    text = text.strip()
    if _CONTROL.search(text):
        raise ValueError("must be on one line")
    before, bracket, inside = text.rpartition("<")
    spec = inside.removesuffix(">") if bracket else text
    try:
        local, domain = split_address(spec)
        if bracket and not inside.endswith(">"):
            raise ValueError("the angle bracket is not closed")  # noqa: TRY301  # the same sentence for all
    except ValueError as exc:
        raise ValueError(
            f"must be an e-mail address, such as PingPilot <alerts@example.com> ({str(exc).rstrip('.')})"
        ) from exc
    name = before.strip()
    if quoted := _QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _SPECIAL.search(name):
        if "<" in name:
            raise ValueError(f"must be one sender, such as <{local}@{domain}> alone")
        bare = re.sub(r'[\\"]', "", name)
        raise ValueError(f'must have its name in quotes: "{bare}" <{local}@{domain}>')
    return Mailbox(name, local, domain)
