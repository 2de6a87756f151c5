"""Categories: the rules for their names, looks and routes, and what their owner is told of them."""

import difflib
import heapq
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from models import Account, Category, CategoryUsage, Destination
from models.database import connection, transaction, unit_of_work
from models.names import joined, split
from models.sql import Row, as_datetime, query
from pingpilot.accounts.quota import month_of
from pingpilot.channels import direct_channels
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound, TooMany

STARTERS = (("bug", "🐛", "#ff6b6b"), ("sale", "💰", "#ffeb3b"), ("question", "🤔", "#6c5ce7"))
_LONGEST_NAME = 64
NAME_PATTERN = r"[a-z0-9-]{1,64}"
COLOR_PATTERN = r"#[0-9A-Fa-f]{6}"
MOST_CATEGORIES = 1000
_MOST_COMPARED = 100  # names, to find the nearest: a thousand long ones would take 0.1 s


class CategoryChanges(TypedDict, total=False):
    """What of a category is to change; null takes away what it may be without."""

    color: str
    emoji: str | None
    urgent: bool
    channels: Collection[str] | None
    fallback: str | None


async def add_category(
    account: Account, name: str, *, color: str, emoji: str | None, now: datetime
) -> Category:
    """Return the new category. Raises as `create_category`."""
    return await create_category(account, name, {"color": color, "emoji": emoji}, now)


@unit_of_work
async def create_category(account: Account, name: str, looks: CategoryChanges, now: datetime) -> Category:
    """Return the new category, whose colour must be among `looks`.

    Raises `InvalidInput`, `AlreadyExists` for a name in use, or `TooMany` beyond `MOST_CATEGORIES`.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput("A category's name is 1 to 64 of a-z, 0-9 and '-', such as 'new-user'.")
    columns = _columns(looks)
    async with transaction():
        await Account.lock(account.id)
        columns |= await _checked_route(account, looks)
        if await Category.exists(account_id=account.id, name=name):
            raise AlreadyExists(
                f"There is a category '{name}' already: choose another name, or change that one."
            )
        if await Category.filter(account_id=account.id).count() >= MOST_CATEGORIES:
            raise TooMany(f"An account has up to {MOST_CATEGORIES:,} categories: remove one first.")
        return await Category.create(account_id=account.id, name=name, created_at=now, **columns)


@unit_of_work
async def change_category(account: Account, name: str, changes: CategoryChanges) -> None:
    """Change what is named, all of it or nothing. Raises `InvalidInput` or `NotFound`."""
    _check_name(name)
    columns = _columns(changes)
    async with transaction():
        await Account.lock(account.id)
        columns |= await _checked_route(account, changes)
        own = Category.filter(account_id=account.id, name=name)
        if columns:
            await own.update(**columns)
        if not await own.exists():
            raise NotFound(await unknown_category(account.id, name))


async def remove_category(account: Account, name: str) -> None:
    """Remove a category; its events stay, under its name. Raises `NotFound`."""
    _check_name(name)
    if not await Category.filter(account_id=account.id, name=name).delete():
        raise NotFound(await unknown_category(account.id, name))


def _check_name(name: str) -> None:
    """Raise `NotFound` for what no category is called and is not fit for a query."""
    if len(name) > _LONGEST_NAME or "\0" in name:
        raise NotFound("There is no such category: a name is 1 to 64 of a-z, 0-9 and '-'.")


async def unknown_category(account_id: int, name: str) -> str:
    """Return the sentence for a category the account does not have, with its nearest names."""
    names = await Category.filter(account_id=account_id).order_by("name").values_list("name", flat=True)
    known = [str(each) for each in names]
    if not known:
        return f"There is no category '{name}': this account has none yet, so add it first."
    compared = heapq.nsmallest(_MOST_COMPARED, known, key=lambda each: abs(len(each) - len(name)))
    near = difflib.get_close_matches(name, compared, n=3, cutoff=0.5)
    hint = (
        f"did you mean {_listed(near, 'or')}?" if near else f"the account has {_listed(known[:10], 'and')}."
    )
    return f"There is no category '{name}': {hint}"


class UnknownDestination(InvalidInput):
    """A category is to go where the account has no destination; `member` is what named it."""

    def __init__(self, member: str, sentence: str) -> None:
        super().__init__(sentence)
        self.member = member


async def _checked_route(account: Account, changes: CategoryChanges) -> dict[str, Any]:
    """Return where the events are to go, as it is stored. Raises `InvalidInput` for an empty list, or
    `UnknownDestination`.
    """
    columns: dict[str, Any] = {}
    if not {"channels", "fallback"} & changes.keys():
        return columns
    # A channel's direct destination may be named before the account has it
    direct = direct_channels()
    own: Any = await Destination.filter(account_id=account.id).order_by("name").values_list("name", flat=True)
    known = [*direct, *[name for name in own if name not in direct]]
    if "channels" in changes:
        named = changes["channels"]
        if named is not None and not named:
            raise InvalidInput(
                "A category goes to at least one destination, or null for all that are switched on."
            )
        chosen = [*(named or ())]
        _check_known("channels", chosen, known)
        columns["channels"] = joined([name for name in known if name in chosen]) if chosen else None
    if "fallback" in changes:
        fallback = columns["fallback"] = changes["fallback"]
        _check_known("fallback", [fallback] if fallback is not None else [], known)
    return columns


def _check_known(member: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownDestination(
                member, f"'{name}' is not a destination of this account: choose from {', '.join(known)}."
            )


# https://unicode.org/reports/tr51/#EBNF_and_Regex, up to 53 code points: the column takes 64 characters
_EMOJI_PART = (
    r"[\p{Emoji}--[0-9\#*\p{RI}]](?:\uFE0F|(?<=\p{EBase})\p{EMod}|[\U000E0020-\U000E007E]{1,6}\U000E007F)?"
)
_ONE_EMOJI = rf"""
      \p{{RI}}{{2}}  # a flag
    | [0-9\#*]\uFE0F\u20E3  # a keycap
    | (?=\p{{EPres}}|.[\uFE0F\u200D\p{{EMod}}])  # not what is shown as text, such as ❤ alone
      {_EMOJI_PART}(?:\u200D{_EMOJI_PART}){{0,5}}
"""


def is_one_emoji(text: str) -> bool:
    """Whether people see the text as one emoji: one grapheme cluster, and not a symbol drawn as text."""
    import regex  # noqa: PLC0415  # 1 MB and 15 ms of a start

    return regex.fullmatch(_ONE_EMOJI, text, regex.VERBOSE | regex.VERSION1) is not None


def _listed(names: list[str], joint: str) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"


def _columns(changes: CategoryChanges) -> dict[str, Any]:
    """Return the changes as they are stored. Raises `InvalidInput`."""
    columns: dict[str, Any] = dict(changes)
    if "color" in changes:
        if not re.fullmatch(COLOR_PATTERN, changes["color"]):
            raise InvalidInput("A category's colour is '#' and six hexadecimal digits, such as '#ff6b6b'.")
        columns["color"] = changes["color"].lower()
    emoji = changes.get("emoji")
    if emoji is not None and not is_one_emoji(emoji):
        raise InvalidInput("A category's emoji is one emoji, such as 🐛; leave it out for none.")
    return columns


_REPORT = """
SELECT c.name, c.emoji, c.color, c.urgent, c.channels, c.fallback, u.events, (
    SELECT l.last_event_at FROM category_usage l WHERE l.account_id = c.account_id AND l.category = c.name
    ORDER BY l.month DESC LIMIT 1
) AS last_event_at
FROM categories c
LEFT JOIN category_usage u ON u.account_id = c.account_id AND u.category = c.name AND u.month = ?
WHERE c.account_id = ?
"""


@dataclass(frozen=True, slots=True)
class CategoryReport:
    """One category as shown to its owner, with this month's count. `channels` None: all that are on."""

    name: str
    emoji: str | None
    color: str
    urgent: bool
    channels: tuple[str, ...] | None
    fallback: str | None
    events_this_month: int
    last_event_at: datetime | None


async def report_categories(account: Account, now: datetime) -> list[CategoryReport]:
    """Return the account's categories by name, each with its month so far and its last event."""
    rows = await query(connection(), f"{_REPORT} ORDER BY c.name", [month_of(now), account.id])
    return [_report(row) for row in rows]


async def report_category(account: Account, name: str, now: datetime) -> CategoryReport:
    """Return one of the account's categories. Raises `NotFound`."""
    rows = await query(connection(), f"{_REPORT} AND c.name = ?", [month_of(now), account.id, name])
    if not rows:
        raise NotFound(await unknown_category(account.id, name))
    return _report(rows[0])


async def count_events(account: Account, category: str) -> int:
    """Return how many events were ever accepted under a category's name."""
    months = await CategoryUsage.filter(account_id=account.id, category=category)
    return sum(month.events for month in months)


def _report(row: Row) -> CategoryReport:
    return CategoryReport(
        name=row["name"],
        emoji=row["emoji"],
        color=row["color"],
        urgent=bool(row["urgent"]),
        channels=split(row["channels"]),
        fallback=row["fallback"],
        events_this_month=row["events"] or 0,
        last_event_at=as_datetime(row["last_event_at"]) if row["last_event_at"] else None,
    )
