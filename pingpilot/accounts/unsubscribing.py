"""Unsubscribing from e-mails with one click (RFC 8058): a signed link that needs no login."""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from models import Account, Destination, Fact
from models.database import transaction, unit_of_work
from pingpilot.accounts.accounts import direct_destinations
from pingpilot.accounts.preferences import switch_channel
from pingpilot.channels import CHANNELS, EMAIL

_SECRET = "unsubscribe.secret"  # noqa: S105  # the name of the fact, not the secret
_TOKEN = re.compile(r"([0-9]{1,18})\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an account gets e-mails, and the labels of its other channels that can be used."""

    gets_mail: bool
    others: tuple[str, ...]


class Unsubscriber:
    """Signs and honours unsubscribe links; the signing key is the database's, shared by its daemons."""

    def __init__(self, *, secret: str, base_url: str) -> None:
        self._secret = secret.encode()
        self._base_url = base_url

    @classmethod
    async def load(cls, base_url: str) -> "Unsubscriber":
        """Return an unsubscriber with the database's key, made at the first call."""
        return cls(secret=await Fact.get_or_set(_SECRET, secrets.token_hex(32)), base_url=base_url)

    @property
    def database_mark(self) -> str:
        """Return what tells the daemons of this database from those of another, and nothing else."""
        return _mark(self._secret)

    @classmethod
    async def stored_mark(cls) -> str | None:
        """Return `database_mark` for the open database, None where no daemon ever ran on it."""
        secret = await Fact.read(_SECRET)
        return _mark(secret.encode()) if secret else None

    def url_for(self, account_id: int) -> str:
        """Return the account's link, as it stands in its e-mails."""
        return f"{self._base_url}/unsubscribe/{account_id}.{self._signature(account_id)}"

    async def account_behind(self, token: str) -> Account | None:
        """Return the account a link's token was signed for, None for a token that is not ours."""
        match = _TOKEN.fullmatch(token)
        if not match or not hmac.compare_digest(match[2], self._signature(int(match[1]))):
            return None
        return await Account.get_or_none(id=int(match[1]))

    async def standing(self, account: Account) -> Standing:
        """Return what is true for the account now."""
        own = await direct_destinations(account)
        usable = {row.channel for row in await Destination.usable(account.id)}
        return Standing(
            gets_mail=any(row.enabled for row in own if row.channel == EMAIL.name),
            others=tuple(kind.label for kind in CHANNELS.values() if kind.name in usable - {EMAIL.name}),
        )

    @unit_of_work
    async def switch_mail(self, account: Account, *, on: bool, now: datetime) -> bool:
        """Switch the account's e-mail channel on or off; False where it is so already."""
        async with transaction():
            await Account.lock(account.id)
            row = await Destination.get_or_none(account_id=account.id, name=EMAIL.name)
            if (row is not None and row.enabled) == on:
                return False
            await switch_channel(account, EMAIL.name, on=on, now=now)
        return True

    def _signature(self, account_id: int) -> str:
        return hmac.digest(self._secret, f"unsubscribe {account_id}".encode(), "sha256").hex()


def _mark(secret: bytes) -> str:
    return hmac.digest(secret, b"database", "sha256").hex()[:16]
