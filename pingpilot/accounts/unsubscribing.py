"""Unsubscribing from e-mails with one click (RFC 8058): a signed link that needs no login."""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from models import Account, Destination, DestinationKind, Fact
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

    def url_for(self, account_id: int, destination: str = EMAIL.name, address: str = "") -> str:
        """Return a destination's link, as it stands in its e-mails; `address` is where these go.

        A mailbox's link is of that address alone: its name may be another's one day. The account's own stays
        good after a change of address.
        """
        if destination in ("", EMAIL.name):
            return f"{self._base_url}/unsubscribe/{account_id}.{self._signature(str(account_id))}"
        which = f"{account_id}.{destination}"
        return f"{self._base_url}/unsubscribe/{which}.{self._signature(which, address)}"

    async def subscription_behind(self, token: str) -> Subscription | None:
        """Return what a link's token was signed for, None for a token that is not ours."""
        match = _TOKEN.fullmatch(token)
        if not match:
            return None
        account_id, name, address = int(match[1]), match[2] or EMAIL.name, ""
        if match[2]:
            row = await Destination.get_or_none(
                account_id=account_id, name=name, kind=DestinationKind.MAILBOX, title__isnull=False
            )
            if row is None:
                return None  # it was removed
            address = str(row.title)
        if not hmac.compare_digest(match[3], self._signature(token.rpartition(".")[0], address)):
            return None
        account = await Account.get_or_none(id=account_id)
        return Subscription(account, name) if account else None

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
            gets_mail=_gets_mail(row),
            others=tuple(map(label_of, others)) if subscription.is_direct else (),
        )

    @unit_of_work
    async def switch_mail(self, subscription: Subscription, *, on: bool, now: datetime) -> bool:
        """Switch the destination on or off; False where it is so already."""
        account, name = subscription.account, subscription.destination
        async with transaction():
            await Account.lock(account.id)
            row = await Destination.get_or_none(account_id=account.id, name=name)
            if (row is not None and _gets_mail(row)) == on:
                return False
            if subscription.is_direct:
                await switch_channel(account, name, on=on, now=now)
            else:
                await Destination.switch(account.id, name, on=on)
                if row is not None and row.linked_at:
                    # Its reader's word, not its owner's: who switches it on again has to ask its reader first
                    confirmed = {"address": row.title, "linked_at": now} if on else {"address": None}
                    await Destination.filter(id=row.id).update(**confirmed)
                await reconsider(account, name, now)
        return True

    def _signature(self, which: str, address: str = "") -> str:
        said = f"unsubscribe {which} {address}".rstrip()
        return hmac.digest(self._secret, said.encode(), "sha256").hex()


def _gets_mail(row: Destination) -> bool:
    """Whether e-mails go there, or will once a new mailbox is confirmed."""
    return row.enabled and (row.address is not None or row.linked_at is None)


def _mark(secret: bytes) -> str:
    return hmac.digest(secret, b"database", "sha256").hex()[:16]
