"""Signing in without a password: a one-time link, which a browser turns into a session."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from models import Account, SignInLink
from models.database import transaction, unit_of_work
from models.sign_in_link import SIGN_IN_LIFETIME
from pingpilot.accounts.deleting import is_being_deleted
from pingpilot.accounts.email_address import normal_email
from pingpilot.accounts.sessions import begin_session
from pingpilot.errors import InvalidInput, TooMany

MOST_LINKS = 10
"""Links an account may get within the lifetime of one."""
MOST_BY_ADDRESS = 5
"""How many of them anybody may ask for who knows the address: bots and command line have the others."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes


@dataclass(frozen=True, slots=True)
class NewSignInLink:
    """A fresh link, which is shown this once."""

    url: str
    expires_at: datetime


@unit_of_work
async def new_sign_in_link(
    account: Account, base_url: str, now: datetime, *, by_address: bool = False
) -> NewSignInLink:
    """Return a fresh one-time link to the account's dashboard; only its hash is stored.

    Raises `TooMany` beyond `MOST_LINKS` within the lifetime of a link, used ones included, and beyond
    `MOST_BY_ADDRESS` where nobody vouches for who asks (`by_address`).
    """
    token, expires_at = secrets.token_urlsafe(32), now + SIGN_IN_LIFETIME
    most = MOST_BY_ADDRESS if by_address else MOST_LINKS
    async with transaction():
        await Account.lock(account.id)
        links = await SignInLink.valid(now).filter(account_id=account.id).order_by("expires_at")
        if len(links) >= most:
            raise TooMany(
                f"This account got {most} sign-in links in the last 10 minutes: "
                "use one of them, or wait a little.",
                until=links[0].expires_at,
            )
        await SignInLink.create(
            account_id=account.id, hash=_hash(token), created_at=now, expires_at=expires_at
        )
    return NewSignInLink(f"{base_url}/sign-in/{token}", expires_at)


async def account_behind(token: str, now: datetime) -> Account | None:
    """Return the account that a link signs in to, without using it up; None where it can't be used."""
    link = await _unused(token, now)
    return await Account.get(id=link.account_id) if link else None


@unit_of_work
async def sign_in(token: str, *, browser: str, address: str, now: datetime) -> str | None:
    """Use a link up; return the token of a new session, None where the link can't be used.

    `browser` and `address` are as in `begin_session`.
    """
    async with transaction():
        link = await _unused(token, now)
        if link is None or not await link.use(now):
            return None
        account = await Account.get(id=link.account_id)
        return await begin_session(account, browser=browser, address=address, now=now)


async def account_to_sign_in(address: str) -> Account | None:
    """Return the account of an address as somebody typed it, None where there is none, or not for long."""
    try:
        account = await Account.get_or_none(email=normal_email(address))
    except InvalidInput:
        return None
    return None if account is None or await is_being_deleted(account) else account


async def _unused(token: str, now: datetime) -> SignInLink | None:
    if not _TOKEN.fullmatch(token):
        return None
    return await SignInLink.valid(now).get_or_none(hash=_hash(token), used_at__isnull=True)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
