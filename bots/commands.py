"""Every bot command, once, free of any platform: takes who asks and the words, returns a reply."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bots.failures import Failures
from bots.lines import category_line, quota_lines
from bots.replies import Bold, Code, Line, Reply
from models import Account
from pingpilot.accounts import linking
from pingpilot.accounts.accounts import channels_of
from pingpilot.accounts.categories import report_categories
from pingpilot.accounts.linking import ChatUser, accounts_of
from pingpilot.accounts.quiet_hours import mute, parse_duration
from pingpilot.accounts.quota import PlanLimits, quota_of
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock
from pingpilot.errors import InvalidInput, LinkRefused
from pingpilot.events.notices import post_notice

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """What a platform's command menu says of a command."""

    name: str
    description: str
    usage: str = ""


MENU = (
    CommandInfo("link", "Link this chat to your account", "CODE"),
    CommandInfo("unlink", "Stop notifications to this chat", "[EMAIL]"),
    CommandInfo("categories", "List your categories with this month's counts"),
    CommandInfo("quota", "Show this month's quota"),
    CommandInfo("failed", "Show what could not be delivered, and try it again"),
    CommandInfo("mute", "Hold notifications back for a while", "2h"),
    CommandInfo("unmute", "Let notifications through again"),
    CommandInfo("help", "Show what I can do"),
)
DESCRIPTIONS = {command.name: command.description for command in MENU}
NOT_LINKED = Reply.of(
    "This chat is not linked to an account yet.",
    ("Get a code from your account's owner (", Code("pingpilot link-code"), "), then send me:"),
    (Code("/link CODE"),),
)
CRASHED = Reply.of("Something went wrong on our side. Please try again in a moment.")


class Commands:
    """Answers chat users. Every method returns a reply and raises nothing a user could cause.

    `on_deliveries` is told the channels that have something to do.
    """

    def __init__(
        self, *, limits: PlanLimits, clock: Clock, on_deliveries: Callable[[set[str]], None]
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._on_deliveries = on_deliveries
        self._failures = Failures(clock=clock, on_deliveries=on_deliveries)

    async def link(self, user: ChatUser, code: str, *, address: str) -> Reply:
        """Link this chat with a one-time code or an API key, and send it a first test notification."""
        if not code.strip():
            return Reply.of(("Send the code too: ", Code("/link CODE")), *NOT_LINKED.lines[1:2])
        now = self._clock.now()
        try:
            account = await linking.link(user, code, address=address, now=now)
        except LinkRefused as exc:
            return Reply.of(str(exc))
        label = CHANNELS[user.channel].label
        text = f"{label} is linked to {account.email}. Your notifications arrive here from now on."
        await post_notice(account.id, text, channels=[user.channel], now=now)
        self._on_deliveries({user.channel})
        return Reply.of(
            ("✅ Linked to ", Bold(account.email), "."),
            "A test notification is on its way. If it does not arrive, allow me to send you messages.",
        )

    async def unlink(self, user: ChatUser, email: str = "") -> Reply:
        """Unlink this chat; whoever is linked to several accounts names one."""
        accounts = await accounts_of(user.channel, user.user_id)
        if email.strip():
            accounts = [each for each in accounts if each.email == email.strip().lower()]
            if not accounts:
                return Reply.of(("This chat is not linked to ", Bold(email.strip()), "."))
        if not accounts:
            return NOT_LINKED
        if len(accounts) > 1:
            choices: list[Line] = [(Code(f"/unlink {each.email}"),) for each in accounts]
            return Reply.of("This chat is linked to several accounts. Say which one:", *choices)
        await linking.unlink(accounts[0], user.channel, self._clock.now())
        return Reply.of(("Unlinked from ", Bold(accounts[0].email), ". Nothing is sent here any more."))

    async def categories(self, user: ChatUser) -> Reply:
        """List the categories of each linked account."""
        return await self._for_each_account(user, self._categories_of)

    async def quota(self, user: ChatUser) -> Reply:
        """Show the month's quota of each linked account."""
        return await self._for_each_account(user, self._quota_of)

    async def failed(self, user: ChatUser) -> Reply:
        """List what failed on any channel of the linked accounts, with buttons that try it again."""
        accounts = await accounts_of(user.channel, user.user_id)
        return await self._failures.listed(accounts) if accounts else NOT_LINKED

    async def retry(self, user: ChatUser, action: str) -> Reply:
        """Carry out a button of `failed`, for the accounts this chat is linked to now.

        `action` is what the platform says was pressed; it may be anything.
        """
        accounts = await accounts_of(user.channel, user.user_id)
        return await self._failures.retried(accounts, action) if accounts else NOT_LINKED

    async def mute(self, user: ChatUser, time: str) -> Reply:
        """Hold back what comes for this chat, or its sound; what is urgent still comes."""
        accounts = await accounts_of(user.channel, user.user_id)
        if not accounts:
            return NOT_LINKED
        now = self._clock.now()
        try:
            until = now + parse_duration(time)
        except InvalidInput as exc:
            return Reply.of(str(exc))
        waits = {await mute(account, user.channel, until, now=now) for account in accounts}
        return Reply.of(
            f"🔕 Muted for {time.strip()}. Urgent categories still come, the rest {_muted(waits)}.",
            ("End it with ", Code("/unmute"), "."),
        )

    async def unmute(self, user: ChatUser) -> Reply:
        """Let everything through again, also what was held back."""
        accounts = await accounts_of(user.channel, user.user_id)
        for account in accounts:
            await mute(account, user.channel, None, now=self._clock.now())
        return Reply.of("🔔 Notifications come again.") if accounts else NOT_LINKED

    async def help(self, user: ChatUser) -> Reply:
        """Say what there is, and whether this chat is linked."""
        accounts = await accounts_of(user.channel, user.user_id)
        commands: list[Line] = [
            (Code(f"/{each.name} {each.usage}".strip()), f" – {each.description}") for each in MENU
        ]
        status: list[Line] = [("Linked to ", Bold(each.email), ".") for each in accounts]
        return Reply.of("I bring you the events of your programs.", *commands, *(status or NOT_LINKED.lines))

    async def _for_each_account(
        self, user: ChatUser, section: Callable[[Account], Awaitable[list[Line]]]
    ) -> Reply:
        accounts = await accounts_of(user.channel, user.user_id)
        if not accounts:
            return NOT_LINKED
        lines: list[Line] = []
        for account in accounts:
            suspended = await self._suspension(account, user.channel)
            lines += [(Bold(account.email),), *suspended, *await section(account)]
        return Reply(tuple(lines))

    async def _suspension(self, account: Account, channel: str) -> list[Line]:
        for row in await channels_of(account):
            if row.channel == channel and row.suspended_reason:
                return [(f"⚠️ Suspended: {row.suspended_reason} Send /link with a new code to go on.",)]
        return []

    async def _categories_of(self, account: Account) -> list[Line]:
        now = self._clock.now()
        reports = await report_categories(account, now)
        if not reports:
            return [("No categories yet. Add one: ", Code("pingpilot category add"))]
        return [category_line(report, now) for report in reports]

    async def _quota_of(self, account: Account) -> list[Line]:
        quota = await quota_of(account, self._limits, self._clock.now())
        return quota_lines(quota)


def _muted(waits: set[bool]) -> str:
    """Return what becomes of the rest, given whether it waits in each of the accounts."""
    if waits == {True}:
        return "waits"
    return "comes without a sound" if waits == {False} else "waits or comes without a sound"


async def answered(command: Awaitable[Reply]) -> Reply:
    """Return the command's reply, or a sentence for the user where it crashed; the log has the rest."""
    try:
        return await command
    except Exception:
        log.exception("A bot command crashed")
        return CRASHED
