"""Changing an account's e-mail address, once a link in the new mailbox was opened.

The link holds all there is to know, signed with a key of the database: nothing is stored before it is used.
"""

import base64
import binascii
import hmac
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import Account, Destination, Fact
from models.backends.errors import IntegrityConflict
from models.database import transaction, unit_of_work
from pingpilot.accounts.accounts import find_account
from pingpilot.accounts.email_address import normal_email
from pingpilot.channels import CHANNELS, AddressSource
from pingpilot.clock import SKEW
from pingpilot.errors import AlreadyExists, NotFound

LIFETIME = timedelta(days=1)
_SECRET = "email_change.secret"  # noqa: S105  # the name of the fact, not the secret
_TOKEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,12})\.([0-9a-f]{16})\.([A-Za-z0-9_-]{1,400})\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A change that was asked for: the account as it is, and its address to be, or that it has by now."""

    account: Account
    new: str

    @property
    def is_done(self) -> bool:
        return self.account.email == self.new


class EmailChanges:
    """Signs and honours links that confirm a new address; each ends with the address it was made for."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    @classmethod
    async def load(cls) -> "EmailChanges":
        """Return this with the database's key, made at the first call."""
        return cls(await Fact.get_or_set(_SECRET, secrets.token_hex(32)))

    async def prepare(self, account: Account, new: str, now: datetime) -> tuple[str, str]:
        """Return the new address as it is stored, and the token of the link that confirms it.

        Raises `InvalidInput`, or `AlreadyExists` where the address has an account.
        """
        address = normal_email(new)
        with suppress(NotFound):
            if (await find_account(address)).id == account.id:
                raise AlreadyExists(f"{address} is the account's address already.")
            raise AlreadyExists(f"There is an account for {address} already.")
        expires = int((now + LIFETIME).timestamp())
        shown = base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")
        which = f"{account.id}.{expires}.{self._mark(account.email)}.{shown}"
        return address, f"{which}.{self._signature(which)}"

    async def change_behind(self, token: str, now: datetime) -> EmailChange | None:
        """Return what a link's token stands for; None where it is not ours, too old, or the account has got
        another address since.
        """
        match = _TOKEN.fullmatch(token)
        if not match or not now.timestamp() <= int(match[2]) <= (now + LIFETIME + SKEW).timestamp():
            return None
        if not hmac.compare_digest(match[5], self._signature(token.rpartition(".")[0])):
            return None
        try:
            new = base64.urlsafe_b64decode(match[4] + "=" * (-len(match[4]) % 4)).decode()
        except (binascii.Error, ValueError):
            return None
        account = await Account.get_or_none(id=int(match[1]))
        if account is None or (match[3] != self._mark(account.email) and account.email != new):
            return None
        return EmailChange(account, new)

    def _mark(self, old: str) -> str:
        """Return what tells the address that a link was made for from others, and nothing else."""
        return hmac.digest(self._secret, f"old email {old}".encode(), "sha256").hex()[:16]

    def _signature(self, which: str) -> str:
        return hmac.digest(self._secret, f"email {which}".encode(), "sha256").hex()


@unit_of_work
async def change_email(change: EmailChange) -> None:
    """Give the account its new address, where its e-mails go from now on; a suspension ends with the old.

    Raises `AlreadyExists` where another account has it by now, `NotFound` where the account's own was
    changed meanwhile.
    """
    try:
        async with transaction():
            account = Account.filter(id=change.account.id, email=change.account.email)
            if not await account.update(email=change.new):
                raise NotFound(f"The address is no longer {change.account.email}: ask for a new link.")
            for kind in CHANNELS.values():
                if kind.address is AddressSource.ACCOUNT_EMAIL:
                    own = Destination.filter(account_id=change.account.id, name=kind.name)
                    await own.update(address=change.new, suspended_reason=None)
    except IntegrityConflict:
        raise AlreadyExists(f"There is an account for {change.new} already.") from None
