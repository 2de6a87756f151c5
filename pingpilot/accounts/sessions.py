"""Sessions: browsers that are signed in, known afterwards by a hash alone."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import Account, Session
from models.database import transaction, unit_of_work
from models.session import LONGEST

MOST_SESSIONS = 50
"""How many browsers may be signed in to an account; one more ends the one that was not used for longest."""
_SEEN_EVERY = timedelta(
    minutes=5
)  # how exactly it is known when a session was used, for a write now and then
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
_LONGEST_NAME = 64
# What a browser calls itself has the names of others, for old pages' sake: the first that fits is meant
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its account."""

    account: Account
    session: Session


@unit_of_work
async def begin_session(
    account: Account, *, browser: str, address: str, now: datetime, by_proxy: bool = False
) -> str:
    """Return the token of a new session, which can't be had again.

    `browser` is its `User-Agent`, `address` where the request came from; `by_proxy` tells that a proxy said
    who it is.
    """
    token = secrets.token_urlsafe(32)
    async with transaction():
        await Account.lock(account.id)
        own = Session.filter(account_id=account.id)
        kept = await own.order_by("-seen_at", "-id").limit(MOST_SESSIONS - 1).values_list("id", flat=True)
        await own.exclude(id__in=kept).delete()
        await Session.create(
            account_id=account.id,
            hash=hashlib.sha256(token.encode()).hexdigest(),
            browser=browser_name(browser),
            address=address[:_LONGEST_NAME],
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST,
            by_proxy=by_proxy,
        )
    return token


async def session_behind(token: str, now: datetime) -> SignedIn | None:
    """Return the session that a token stands for, None where it has ended or never was."""
    if not _TOKEN.fullmatch(token):
        return None
    own = Session.in_force(now).filter(hash=hashlib.sha256(token.encode()).hexdigest())
    session = await own.first()
    if session is None:
        return None
    if now - session.seen_at >= _SEEN_EVERY:
        await Session.filter(id=session.id, seen_at__lt=now).update(seen_at=now)
    return SignedIn(await Account.get(id=session.account_id), session)


async def sessions_of(account: Account, now: datetime) -> list[Session]:
    """Return the account's sessions, the one used last first."""
    return await Session.in_force(now).filter(account_id=account.id).order_by("-seen_at", "-id")


async def end_session(account: Account, session_id: int) -> bool:
    """Sign one of the account's browsers out; False where it was not signed in."""
    return bool(await Session.filter(account_id=account.id, id=session_id).delete())


async def end_other_sessions(account: Account, session_id: int) -> int:
    """Sign out all of the account's browsers but one; return how many."""
    return await Session.filter(account_id=account.id).exclude(id=session_id).delete()


def browser_name(user_agent: str) -> str:
    """Return what people call a browser, such as `Firefox on Linux`."""
    browser = next((name for sign, name in _BROWSERS if f"{sign}/" in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return " on ".join(filter(None, (browser or "A browser", system)))
