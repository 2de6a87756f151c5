"""`/failed`: what could not be delivered, and the buttons that try it again."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bots.lines import ago
from bots.replies import Action, Bold, Line, Reply
from models import Account, AccountChannel, Category, DeliveryStatus
from pingpilot.accounts.accounts import channels_of
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock
from pingpilot.events import notices
from pingpilot.events.deliveries import (
    DeliveryReport,
    Selection,
    count_deliveries,
    list_deliveries,
    retry_deliveries,
)
from pingpilot.rendering.text import clean_text, cut_end

MOST_SHOWN = 8  # with both texts cut, these fit into a message of Discord's
LONGEST_DESCRIPTION, LONGEST_ERROR = 60, 80
RETRY_ALL = "retry:all"
NOTHING_FAILED = Reply.of("No failed deliveries.")
NO_SUCH_DELIVERY = "There is no such delivery any more."

_RETRY_ONE = re.compile(r"retry:([1-9][0-9]{0,18})")
_LARGEST_ID = 2**63 - 1  # of both databases; PostgreSQL's driver raises beyond


@dataclass(frozen=True, slots=True)
class _Failed:
    """A failed delivery as it is listed; `owner` is its account's address where there are several."""

    delivery: DeliveryReport
    emoji: str | None
    owner: str | None


class Failures:
    """Lists and retries the failed deliveries of the accounts it is given, and of no other."""

    def __init__(self, *, clock: Clock, on_deliveries: Callable[[set[str]], None]) -> None:
        self._clock = clock
        self._on_deliveries = on_deliveries

    async def listed(self, accounts: Sequence[Account]) -> Reply:
        """Return the newest failures, each with a button, and one for all; and what is to be mended first."""
        total, failed = await _newest_failed(accounts)
        if not failed:
            return NOTHING_FAILED
        lines = [_head(total), *await _suspensions(accounts)]
        actions = []
        for number, each in enumerate(failed, 1):
            lines += self._entry(number, each)
            actions.append(Action(f"Retry {number}", f"retry:{each.delivery.id}"))
        if total > 1:
            actions.append(Action("Retry all", RETRY_ALL))
        return Reply(tuple(lines), tuple(actions))

    async def retried(self, accounts: Sequence[Account], action: str) -> Reply:
        """Do what a button's id asks for; return what came of it and the list as it is now.

        An id that is none, or another account's, changes nothing; the two are told apart by nobody.
        """
        outcome = await self._retry(accounts, action)
        listed = await self.listed(accounts)
        return Reply((outcome, *listed.lines), listed.actions)

    async def _retry(self, accounts: Sequence[Account], action: str) -> Line:
        if action == RETRY_ALL:
            return await self._retry_all(accounts)
        match = _RETRY_ONE.fullmatch(action)
        if match is None or int(match[1]) > _LARGEST_ID:
            return (NO_SUCH_DELIVERY,)
        return await self._retry_one(accounts, int(match[1]))

    async def _retry_one(self, accounts: Sequence[Account], delivery_id: int) -> Line:
        for account in accounts:
            selection = Selection(account.id, delivery_ids=[delivery_id])
            retried = await self._put_back(selection)
            for delivery in await list_deliveries(selection):
                return _outcome(delivery, retried=bool(retried))
        return (NO_SUCH_DELIVERY,)

    async def _retry_all(self, accounts: Sequence[Account]) -> Line:
        count = sum([await self._put_back(selection) for _, selection in _failed_of(accounts)])
        if not count:
            return ("Nothing was left to try again.",)
        return (f"🔁 Trying {_deliveries(count)} again.",)

    async def _put_back(self, selection: Selection) -> int:
        """Retry the selected ones that failed, wake their channels, and return how many."""
        channels = await retry_deliveries(selection, self._clock.now())
        self._on_deliveries(set(channels))
        return channels.total()

    def _entry(self, number: int, failed: _Failed) -> list[Line]:
        delivery = failed.delivery
        emoji = f" {failed.emoji} " if failed.emoji else " "
        owner = _of(failed.owner)
        when = ago(self._clock.now() - delivery.created_at)
        error = _short(delivery.last_error or "no reason given", LONGEST_ERROR)
        return [
            (
                *(Bold(f"{number}."), emoji, Bold(delivery.category)),
                f" – {_short(delivery.description, LONGEST_DESCRIPTION)}",
            ),
            (f"{CHANNELS[delivery.channel].label}{owner}, {when}: {error}",),
        ]


def _failed_of(accounts: Sequence[Account]) -> list[tuple[Account, Selection]]:
    return [(account, Selection(account.id, status=DeliveryStatus.FAILED)) for account in accounts]


async def _newest_failed(accounts: Sequence[Account]) -> tuple[int, list[_Failed]]:
    """Return how many deliveries of the accounts failed, and the newest of them."""
    total, found = 0, []
    for account, selection in _failed_of(accounts):
        total += await count_deliveries(selection)
        found += [(account, each) for each in await list_deliveries(selection, most=MOST_SHOWN)]
    found.sort(key=lambda pair: pair[1].id, reverse=True)
    emoji = await _emoji_of(accounts)
    return total, [
        _Failed(each, emoji.get((account.id, each.category)), _owner(account, accounts))
        for account, each in found[:MOST_SHOWN]
    ]


async def _suspensions(accounts: Sequence[Account]) -> list[Line]:
    """Return a line for each suspended channel on which something failed: trying again would fail at once."""
    return [
        _suspension(row, _owner(account, accounts))
        for account in accounts
        for row in await channels_of(account)
        if row.suspended_reason and await _has_failed(row)
    ]


async def _has_failed(row: AccountChannel) -> bool:
    selection = Selection(row.account_id, status=DeliveryStatus.FAILED, channel=row.channel)
    return await count_deliveries(selection) > 0


async def _emoji_of(accounts: Sequence[Account]) -> dict[tuple[int, str], str | None]:
    own = await Category.filter(account_id__in=[account.id for account in accounts])
    emoji: dict[tuple[int, str], str | None] = {(each.account_id, each.name): each.emoji for each in own}
    return emoji | {(account.id, notices.SENDER): notices.EMOJI for account in accounts}


def _suspension(row: AccountChannel, owner: str | None) -> Line:
    kind = CHANNELS[row.channel]
    reason = _short(row.suspended_reason or "", LONGEST_ERROR)
    remedy = "Link it" if kind.needs_link else "Switch it on"
    return (f"⚠️ {kind.label}{_of(owner)} is suspended: {reason} {remedy} again first.",)


def _owner(account: Account, accounts: Sequence[Account]) -> str | None:
    """Return the account's address where it has to be told apart from others."""
    return account.email if len(accounts) > 1 else None


def _of(owner: str | None) -> str:
    return f" of {owner}" if owner else ""


def _head(total: int) -> Line:
    if total <= MOST_SHOWN:
        return (f"{_deliveries(total)} failed:",)
    return (f"{_deliveries(total)} failed, the newest are:",)


def _outcome(delivery: DeliveryReport, *, retried: bool) -> Line:
    what: Line = (Bold(delivery.category), f" on {CHANNELS[delivery.channel].label}.")
    if retried:
        return ("🔁 Trying again: ", *what)
    if delivery.status == DeliveryStatus.DELIVERED:
        return ("Delivered already: ", *what)
    return ("Already on its way: ", *what)


def _deliveries(count: int) -> str:
    return f"{count:,} {'delivery' if count == 1 else 'deliveries'}"


def _short(text: str, limit: int) -> str:
    return cut_end(" ".join(clean_text(text).split()), limit)
