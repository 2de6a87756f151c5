"""`/failed`: what could not be delivered, and the buttons that try it again."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bots.replies import Action, Bold, Line, Reply
from models import Account, Category, DeliveryStatus
from pingpilot.accounts.destinations import destinations_of, label_of
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
from pingpilot.rendering.times import ago

MOST_SHOWN = 8  # with both texts cut, these fit into a message of Discord's
LONGEST_DESCRIPTION, LONGEST_ERROR = 60, 80
RETRY_ALL = "retry:all"
NOTHING_FAILED = Reply.of("No failed deliveries.")
NO_SUCH_DELIVERY = "That delivery no longer exists."

_RETRY_ONE = re.compile(r"retry:([1-9][0-9]{0,18})")
_LARGEST_ID = 2**63 - 1  # of both databases; PostgreSQL's driver raises beyond


@dataclass(frozen=True, slots=True)
class _Failed:
    """A failed delivery with its category's emoji; `owner` names its account where there are several."""

    delivery: DeliveryReport
    emoji: str | None
    owner: str


class Failures:
    """Lists and retries the failed deliveries of the accounts it is given, and of no other."""

    def __init__(self, *, clock: Clock, on_deliveries: Callable[[set[str]], None]) -> None:
        self._clock = clock
        self._on_deliveries = on_deliveries

    async def list_failed(self, accounts: Sequence[Account]) -> Reply:
        """Return the newest failures, each with a button, and one for all; and what has to be fixed first."""
        total, failed = await _newest_failed(accounts)
        if not failed:
            return NOTHING_FAILED
        intro = "failed:" if total <= MOST_SHOWN else "failed. The newest are:"
        lines: list[Line] = [(f"{_deliveries(total)} {intro}",), *await _suspensions(accounts)]
        actions = []
        for number, each in enumerate(failed, 1):
            delivery = each.delivery
            emoji = f" {each.emoji} " if each.emoji else " "
            description = _short(delivery.summary, LONGEST_DESCRIPTION)
            channel = f"{CHANNELS[delivery.channel].label}{each.owner}"
            when = ago(self._clock.now() - delivery.created_at)
            error = _short(delivery.last_error or "no reason given", LONGEST_ERROR)
            lines += [
                (Bold(f"{number}."), emoji, Bold(delivery.category), f" – {description}"),
                (f"{channel}, {when}: {error}",),
            ]
            actions.append(Action(f"Retry {number}", f"retry:{delivery.id}"))
        if total > 1:
            actions.append(Action("Retry all", RETRY_ALL))
        return Reply(tuple(lines), tuple(actions))

    async def retry(self, accounts: Sequence[Account], action: str) -> Reply:
        """Do what a button's id asks for; return what came of it and the list as it is now.

        An id that is none, or another account's, changes nothing; nobody can tell the two apart.
        """
        outcome: Line = (NO_SUCH_DELIVERY,)
        match = _RETRY_ONE.fullmatch(action)
        if action == RETRY_ALL:
            count = sum([await self._put_back(selection) for _, selection in _failed_of(accounts)])
            retried = f"🔁 Trying {_deliveries(count)} again."
            outcome = (retried if count else "There was nothing left to retry.",)
        elif match and int(match[1]) <= _LARGEST_ID:
            outcome = await self._retry_one(accounts, int(match[1]))
        listed = await self.list_failed(accounts)
        return Reply((outcome, *listed.lines), listed.actions)

    async def _retry_one(self, accounts: Sequence[Account], delivery_id: int) -> Line:
        for account in accounts:
            selection = Selection(account.id, delivery_ids=[delivery_id])
            retried = await self._put_back(selection)
            for delivery in await list_deliveries(selection):
                if retried:
                    outcome = "🔁 Trying again: "
                elif delivery.status == DeliveryStatus.DELIVERED:
                    outcome = "Already delivered: "
                else:
                    outcome = "Already on its way: "
                return (outcome, Bold(delivery.category), f" on {CHANNELS[delivery.channel].label}.")
        return (NO_SUCH_DELIVERY,)

    async def _put_back(self, selection: Selection) -> int:
        """Retry the selected ones that failed, wake their channels, and return how many."""
        channels = await retry_deliveries(selection, self._clock.now())
        self._on_deliveries(set(channels))
        return channels.total()


def _failed_of(accounts: Sequence[Account]) -> list[tuple[Account, Selection]]:
    return [(account, Selection(account.id, status=DeliveryStatus.FAILED)) for account in accounts]


async def _newest_failed(accounts: Sequence[Account]) -> tuple[int, list[_Failed]]:
    """Return how many deliveries of the accounts failed, and the newest of them."""
    total, found = 0, []
    for account, selection in _failed_of(accounts):
        total += await count_deliveries(selection)
        found += [(account, each) for each in await list_deliveries(selection, most=MOST_SHOWN)]
    found.sort(key=lambda pair: pair[1].id, reverse=True)
    own = await Category.filter(account_id__in=[account.id for account in accounts])
    emoji: dict[tuple[int, str], str | None] = {(each.account_id, each.name): each.emoji for each in own}
    emoji |= {(account.id, notices.SENDER): notices.EMOJI for account in accounts}
    return total, [
        _Failed(each, emoji.get((account.id, each.category)), _owner(account, accounts))
        for account, each in found[:MOST_SHOWN]
    ]


async def _suspensions(accounts: Sequence[Account]) -> list[Line]:
    """Return a line for each suspended channel on which something failed: trying again would fail at once."""
    lines: list[Line] = []
    for account in accounts:
        for row in await destinations_of(account):
            failed = Selection(
                account.id, status=DeliveryStatus.FAILED, channel=row.channel, destination=row.name
            )
            if row.suspended_reason and await count_deliveries(failed):
                kind, reason = CHANNELS[row.channel], _short(row.suspended_reason, LONGEST_ERROR)
                remedy = "Link it" if kind.needs_link else "Switch it on"
                which = f"{label_of(row.name)}{_owner(account, accounts)}"
                lines.append((f"⚠️ {which} is suspended: {reason} {remedy} again first.",))
    return lines


def _owner(account: Account, accounts: Sequence[Account]) -> str:
    """Return ` of ` and the account's address where it has to be told apart from others."""
    return f" of {account.email}" if len(accounts) > 1 else ""


def _deliveries(count: int) -> str:
    return f"{count:,} {'delivery' if count == 1 else 'deliveries'}"


def _short(text: str, limit: int) -> str:
    return cut_end(" ".join(clean_text(text).split()), limit)
