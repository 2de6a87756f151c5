"""Mailboxes: further e-mail addresses of an account, which their own readers have to confirm."""

import hmac
import re
import secrets
from datetime import datetime, timedelta

from models import Account, Destination, DestinationKind, Fact
from models.database import transaction, unit_of_work
from pingpilot.accounts.linking import ChatUser, count_guess
from pingpilot.clock import SKEW
from pingpilot.errors import LinkRefused, TooMany

LIFETIME = timedelta(days=1)
MOST_ASKED = 10
"""Mails with a link that an account may send in an hour: nobody is to be pestered with them."""
_SECRET = "mailbox.secret"  # noqa: S105  # the name of the fact, not the secret
_TOKEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,12})\.([0-9]{1,15})\.([0-9a-f]{64})")


class TooManyMails(TooMany):
    """The account asked more often to be confirmed than it may."""


class Mailboxes:
    """Signs and honours links that confirm a mailbox; each does so once, and for a day."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    @classmethod
    async def load(cls) -> "Mailboxes":
        """Return this with the database's key, made at the first call."""
        return cls(await Fact.get_or_set(_SECRET, secrets.token_hex(32)))

    def url_for(self, mailbox: Destination, base_url: str, now: datetime) -> str:
        """Return the link that confirms a mailbox."""
        which = f"{mailbox.id}.{int((now + LIFETIME).timestamp())}.{_since(mailbox)}"
        return f"{base_url}/confirm-mailbox/{which}.{self._signature(which, mailbox)}"

    async def mailbox_behind(self, token: str, now: datetime) -> Destination | None:
        """Return the mailbox that a link's token confirms, or has confirmed; None where it is not ours, too
        old, or of a time before its reader unsubscribed.
        """
        match = _TOKEN.fullmatch(token)
        if not match or not now.timestamp() <= int(match[2]) <= (now + LIFETIME + SKEW).timestamp():
            return None
        mailbox = await Destination.get_or_none(id=int(match[1]), kind=DestinationKind.MAILBOX)
        which = token.rpartition(".")[0]
        if mailbox is None or not hmac.compare_digest(match[4], self._signature(which, mailbox)):
            return None
        # One that was confirmed and unsubscribed from since takes a new link, not the old one again
        return mailbox if mailbox.address is not None or int(match[3]) == _since(mailbox) else None

    def _signature(self, which: str, mailbox: Destination) -> str:
        return hmac.digest(self._secret, f"mailbox {which} {mailbox.title}".encode(), "sha256").hex()


def _since(mailbox: Destination) -> int:
    """Return when the mailbox was confirmed last, in milliseconds; 0 for never."""
    return round(mailbox.linked_at.timestamp() * 1000) if mailbox.linked_at else 0


@unit_of_work
async def confirm_mailbox(mailbox: Destination, now: datetime) -> bool:
    """Let notifications go to the mailbox from now on; False where somebody was first."""
    async with transaction():
        own = Destination.filter(id=mailbox.id, address__isnull=True)
        return bool(await own.update(address=mailbox.title, linked_at=now))


async def count_asking(account: Account, now: datetime) -> None:
    """Count a mail that asks somebody to confirm. Raises `TooManyMails` beyond `MOST_ASKED` an hour."""
    try:
        await count_guess(ChatUser("email", f"account {account.id}", None), now)
    except LinkRefused:
        raise TooManyMails(
            f"This account asked {MOST_ASKED} times in an hour for a mailbox to be confirmed: wait a little."
        ) from None


def words_for(mailbox: Destination, account: Account, url: str) -> str:
    """Return what the mail to a new mailbox says."""
    return (
        f"The PingPilot account {account.email} would like to send its notifications to {mailbox.title}. "
        f"Open this link within a day to allow it: {url}\n\nIf you do not want them, do nothing."
    )
