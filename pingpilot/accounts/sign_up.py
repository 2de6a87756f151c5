"""New accounts over the web: by an operator's invitation, or for anyone who proves an address by a link."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tortoise.backends.base.client import BaseDBAsyncClient

from models import Account, Plan, SignUpLink
from models.database import transaction, unit_of_work
from models.sign_up_link import INVITATION_LIFETIME, SIGN_UP_LIFETIME
from models.sql import is_postgres, query
from pingpilot.accounts.accounts import create_account
from pingpilot.accounts.email_address import normal_email
from pingpilot.accounts.sessions import begin_session
from pingpilot.channels import CHANNELS
from pingpilot.config import PREFIX, Settings
from pingpilot.errors import AlreadyExists, InvalidInput, TooMany

MOST_FOR_AN_ADDRESS = 3
"""Links that one address may be sent in an hour: nobody is to be pestered with them."""
MOST_AN_HOUR = 100
"""Links that all who ask at the sign-in page may be sent in an hour, together."""
MOST_INVITATIONS = 1000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
_KEPT_AFTER_END = timedelta(days=1)


class SignUp(StrEnum):
    """Who may get an account without a shell on the server: nobody, who is invited, or anybody."""

    OFF = "off"
    INVITE = "invite"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Newcomers:
    """How new accounts come about over the web, and what they begin with."""

    sign_up: SignUp = SignUp.OFF
    plan: Plan = Plan.FREE
    channels: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Newcomers":
        """Return what the settings name."""
        return cls(SignUp(settings.sign_up), Plan(settings.default_plan), tuple(settings.direct_channels))

    def takes(self, link: SignUpLink) -> bool:
        """Whether a link may be used as the settings are now."""
        return self.sign_up is SignUp.OPEN or (link.is_invitation and self.sign_up is SignUp.INVITE)

    async def new_account(self, email: str, plan: str | None, now: datetime) -> Account:
        """Return a new account, without a key: nobody would be there to read it.

        Raises `AlreadyExists` where the address has one.
        """
        made = await create_account(
            email,
            plan=Plan(plan) if plan else self.plan,
            monthly_events=None,
            channels=self.channels,
            undecided={*CHANNELS} - {*self.channels},
            now=now,
            with_key=False,
        )
        return made.account


@dataclass(frozen=True, slots=True)
class NewSignUpLink:
    """A fresh link, which is shown or mailed this once; `email` is the address as it is stored."""

    email: str
    url: str
    expires_at: datetime


@unit_of_work
async def invite(
    email: str, plan: Plan | None, newcomers: Newcomers, base_url: str, now: datetime
) -> NewSignUpLink:
    """Return a link that makes an account for an address; an earlier one to it is no longer good.

    Raises `InvalidInput` where nobody may be invited, or for what is no address; `AlreadyExists` where it has
    an account, `TooMany` beyond `MOST_INVITATIONS`.
    """
    if newcomers.sign_up is SignUp.OFF:
        raise InvalidInput(f"Invitations are switched off: set {PREFIX}SIGN_UP=invite.")
    address = normal_email(email)
    async with transaction() as database:
        await _take_turn(database, now)
        await SignUpLink.filter(email=address, is_invitation=True).delete()
        if await Account.filter(email=address).exists():
            raise AlreadyExists(
                f"There is an account for {address} already: it signs in at the sign-in page."
            )
        if await SignUpLink.unused(now).filter(is_invitation=True).count() >= MOST_INVITATIONS:
            raise TooMany(f"There are {MOST_INVITATIONS:,} open invitations: revoke some first.")
        return await _new_link(address, plan or newcomers.plan, base_url, now)


@unit_of_work
async def new_sign_up_link(email: str, base_url: str, now: datetime) -> NewSignUpLink:
    """Return a link that makes an account for an address which somebody typed in.

    Raises `InvalidInput`, or `TooMany` beyond `MOST_FOR_AN_ADDRESS` and `MOST_AN_HOUR`.
    """
    address = normal_email(email)
    async with transaction() as database:
        await _take_turn(database, now)
        lately = SignUpLink.filter(created_at__gt=now - SIGN_UP_LIFETIME, is_invitation=False)
        if (
            await lately.filter(email=address).count() >= MOST_FOR_AN_ADDRESS
            or await lately.count() >= MOST_AN_HOUR
        ):
            raise TooMany("Too many links were asked for in the last hour: wait a little.")
        return await _new_link(address, None, base_url, now)


async def _take_turn(database: BaseDBAsyncClient, now: datetime) -> None:
    """Make links one after another, on any daemon, so that what is counted before stays so.

    A write, which is SQLite's lock; PostgreSQL needs one that no row stands for.
    """
    await SignUpLink.filter(expires_at__lt=now - _KEPT_AFTER_END).delete()
    if is_postgres(database):
        await query(database, "SELECT pg_advisory_xact_lock(hashtextextended('sign-up', 0))")


async def _new_link(email: str, plan: Plan | None, base_url: str, now: datetime) -> NewSignUpLink:
    token, is_invitation = secrets.token_urlsafe(32), plan is not None
    expires_at = now + (INVITATION_LIFETIME if is_invitation else SIGN_UP_LIFETIME)
    await SignUpLink.create(
        email=email,
        is_invitation=is_invitation,
        plan=plan,
        hash=_hash(token),
        created_at=now,
        expires_at=expires_at,
    )
    return NewSignUpLink(email, f"{base_url}/sign-up/{token}", expires_at)


async def link_behind(token: str, newcomers: Newcomers, now: datetime) -> SignUpLink | None:
    """Return what a token stands for, without using it up; None where it can't be used."""
    if not _TOKEN.fullmatch(token):
        return None
    link = await SignUpLink.unused(now).get_or_none(hash=_hash(token))
    return link if link and newcomers.takes(link) else None


async def sign_up(
    token: str, newcomers: Newcomers, *, browser: str, address: str, now: datetime
) -> str | None:
    """Use a link up: return the token of a session of its address's account, which is made if need be.

    None where the link can't be used. `browser` and `address` are as in `begin_session`.
    """
    try:
        return await _sign_up(token, newcomers, browser=browser, address=address, now=now)
    except AlreadyExists:  # somebody was first, with another link to this address: it signs in
        return await _sign_up(token, newcomers, browser=browser, address=address, now=now)


@unit_of_work
async def _sign_up(
    token: str, newcomers: Newcomers, *, browser: str, address: str, now: datetime
) -> str | None:
    link = await link_behind(token, newcomers, now)
    if link is None:
        return None
    async with transaction():
        if not await link.use(now):
            return None
        account = await Account.get_or_none(email=link.email)
        if account is None:
            account = await newcomers.new_account(link.email, link.plan, now)
        return await begin_session(account, browser=browser, address=address, now=now)


async def account_vouched_for(email: str, newcomers: Newcomers, now: datetime) -> Account | None:
    """Return the account of an address that a trusted proxy has proven, made where it may be.

    `email` is as it is stored. None where it has no account, nor an invitation or leave to get one.
    """
    account = await Account.get_or_none(email=email)
    if account is not None:
        return account
    invitation = await SignUpLink.unused(now).filter(email=email, is_invitation=True).first()
    if newcomers.sign_up is SignUp.OPEN or (invitation and newcomers.takes(invitation)):
        try:
            # Making it deletes the invitation
            return await newcomers.new_account(email, invitation.plan if invitation else None, now)
        except AlreadyExists:
            return await Account.get_or_none(email=email)
    return None


async def invitations(now: datetime) -> list[SignUpLink]:
    """Return the invitations that can still be used, by address."""
    return await SignUpLink.unused(now).filter(is_invitation=True).order_by("email")


async def revoke_invitation(email: str) -> bool:
    """Make an address's invitation void; False where it had none."""
    try:
        address = normal_email(email)
    except InvalidInput:
        return False
    return bool(await SignUpLink.filter(email=address, is_invitation=True).delete())


def invitation_words(link: NewSignUpLink, base_url: str) -> str:
    """Return what the mail with an invitation says."""
    return (
        "You are invited to an account\n\n"
        f"Whoever runs PingPilot at {base_url} invites you to an account there. It brings your programs' "
        "events to Discord, Telegram and your mailbox.\n\n"
        f"Open this link within {INVITATION_LIFETIME.days} days to make the account for {link.email}; it "
        f"works once: {link.url}\n\nIf you do not want it, do nothing."
    )


def sign_up_words(link: NewSignUpLink) -> str:
    """Return what the mail says to an address that somebody typed in at the sign-in page."""
    return (
        "Your link to a new account\n\n"
        f"Open this link within an hour to make a PingPilot account for {link.email}; it works once: "
        f"{link.url}\n\nIf you did not ask for it, do nothing: there is no account then."
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
