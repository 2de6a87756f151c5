"""Categories: the rules for their names, colours and emoji, and what is told of them."""

import difflib
import re
from dataclasses import dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError

from models import Account, Category, CategoryUsage
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound
from pingpilot.quota import month_of

STARTERS = (("bug", "🐛", "#ff6b6b"), ("sale", "💰", "#ffeb3b"), ("question", "🤔", "#6c5ce7"))
NAME_PATTERN = r"[a-z0-9-]{1,64}"
COLOR_PATTERN = r"#[0-9A-Fa-f]{6}"


@dataclass(frozen=True, slots=True)
class CategoryReport:
    """One category as shown to its owner, with this month's count."""

    name: str
    emoji: str | None
    color: str
    events_this_month: int
    last_event_at: datetime | None


async def add_category(
    account: Account, name: str, *, color: str, emoji: str | None, now: datetime
) -> Category:
    """Return the new category. Raises `InvalidInput`, or `AlreadyExists` for a name in use."""
    _check(name, color, emoji)
    try:
        return await Category.create(
            account_id=account.id, name=name, color=color.lower(), emoji=emoji, created_at=now
        )
    except IntegrityError:
        raise AlreadyExists(f"{account.email} has a category '{name}' already.") from None


async def set_urgent(account: Account, name: str, urgent: bool) -> None:
    """Let the category's events pass quiet hours, or not. Raises `NotFound`."""
    if not await Category.filter(account_id=account.id, name=name).update(urgent=urgent):
        raise NotFound(await unknown_category(account.id, name))


async def remove_category(account: Account, name: str) -> None:
    """Remove a category; its events stay, under its name. Raises `NotFound`."""
    if not await Category.filter(account_id=account.id, name=name).delete():
        raise NotFound(await unknown_category(account.id, name))


async def report_categories(account: Account, now: datetime) -> list[CategoryReport]:
    """Return the account's categories by name, each with its month so far and its last event."""
    usage = await CategoryUsage.filter(account_id=account.id).order_by("month")
    last = {row.category: row.last_event_at for row in usage}
    counts = {row.category: row.events for row in usage if row.month == month_of(now)}
    return [
        CategoryReport(each.name, each.emoji, each.color, counts.get(each.name, 0), last.get(each.name))
        for each in await Category.filter(account_id=account.id).order_by("name")
    ]


async def unknown_category(account_id: int, name: str) -> str:
    """Return the sentence for a category the account does not have, with its nearest names."""
    names = await Category.filter(account_id=account_id).order_by("name").values_list("name", flat=True)
    known = [str(each) for each in names]
    if not known:
        return f"There is no category '{name}': this account has none yet, so add it first."
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = (
        f"did you mean {_listed(near, 'or')}?" if near else f"the account has {_listed(known[:10], 'and')}."
    )
    return f"There is no category '{name}': {hint}"


def _listed(names: list[str], joint: str) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"


def _check(name: str, color: str, emoji: str | None) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput("A category's name is 1 to 64 of a-z, 0-9 and '-', such as 'new-user'.")
    if not re.fullmatch(COLOR_PATTERN, color):
        raise InvalidInput("A category's colour is '#' and six hexadecimal digits, such as '#ff6b6b'.")
    if emoji is not None and not is_one_emoji(emoji):
        raise InvalidInput("A category's emoji is one emoji, such as 🐛; leave it out for none.")


def is_one_emoji(text: str) -> bool:
    """Whether the text is one emoji, as Unicode's own list has it."""
    from emoji import is_emoji  # noqa: PLC0415  # its list takes 10 MB, which few processes need

    return is_emoji(text)
