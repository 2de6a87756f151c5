"""Unsubscribing from e-mails with one click (RFC 8058): a signed link that needs no login."""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from models import Account, Destination, Fact
from models.database import transaction, unit_of_work
from pingpilot.accounts.destinations import NAME_PATTERN, destinations_of, label_of
from pingpilot.accounts.preferences import switch_channel
from pingpilot.accounts.quiet_hours import reconsider
from pingpilot.channels import EMAIL

_SECRET = "unsubscribe.secret"  # noqa: S105  # the name of the fact, not the secret
_TOKEN = re.compile(rf"([0-9]{{1,18}})(?:\.({NAME_PATTERN}))?\.([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A destination that e-mails go to, by the link in one of them."""

    account: Account
    destination: str = EMAIL.name

    @property
    def is_direct(self) -> bool:
        """Whether they go to the account's own address."""
        return self.destination == EMAIL.name


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether e-mails go to the `address`, and what else of the account can be used, as people call it."""

    address: str
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

    def url_for(self, account_id: int, destination: str = EMAIL.name) -> str:
        """Return a destination's link, as it stands in its e-mails."""
        which = str(account_id) if destination in ("", EMAIL.name) else f"{account_id}.{destination}"
        return f"{self._base_url}/unsubscribe/{which}.{self._signature(which)}"

    async def subscription_behind(self, token: str) -> Subscription | None:
        """Return what a link's token was signed for, None for a token that is not ours."""
        match = _TOKEN.fullmatch(token)
        if not match or not hmac.compare_digest(match[3], self._signature(token.rpartition(".")[0])):
            return None
        account, name = await Account.get_or_none(id=int(match[1])), match[2] or EMAIL.name
        if account is None:
            return None
        if match[2] and not await Destination.exists(account_id=account.id, name=name, channel=EMAIL.name):
            return None  # it was removed
        return Subscription(account, name)

    async def standing(self, subscription: Subscription) -> Standing:
        """Return what is true for a subscription now."""
        account = subscription.account
        own = {row.name: row for row in await destinations_of(account)}
        row, usable = (
            own[subscription.destination],
            {row.name for row in await Destination.usable(account.id)},
        )
        others = [name for name in own if name in usable and name != row.name]
        # Who reads another mailbox is not the owner, and is told of nothing else
        return Standing(
            address=account.email if subscription.is_direct else row.title or "",
            gets_mail=row.enabled,
            others=tuple(map(label_of, others)) if subscription.is_direct else (),
        )

    @unit_of_work
    async def switch_mail(self, subscription: Subscription, *, on: bool, now: datetime) -> bool:
        """Switch the destination on or off; False where it is so already."""
        account, name = subscription.account, subscription.destination
        async with transaction():
            await Account.lock(account.id)
            row = await Destination.get_or_none(account_id=account.id, name=name)
            if (row is not None and row.enabled) == on:
                return False
            if subscription.is_direct:
                await switch_channel(account, name, on=on, now=now)
            else:
                await Destination.switch(account.id, name, on=on)
                await reconsider(account, name, now)
        return True

    def _signature(self, which: str) -> str:
        return hmac.digest(self._secret, f"unsubscribe {which}".encode(), "sha256").hex()


def _mark(secret: bytes) -> str:
    return hmac.digest(secret, b"database", "sha256").hex()[:16]
