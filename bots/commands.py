"""Every bot command, once, free of any platform: takes who asks and the words, returns a reply."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

import structlog

from bots.failures import Failures
from bots.replies import Bold, Code, Line, Link, Reply
from bots.rooms import RoomCommands
from models import Account, Destination
from pingpilot.accounts import linking
from pingpilot.accounts.accounts import direct_destinations, suspended_words
from pingpilot.accounts.categories import report_categories
from pingpilot.accounts.linking import ChatUser, accounts_of, without_brackets
from pingpilot.accounts.quiet_hours import mute, parse_duration
from pingpilot.accounts.quota import PlanLimits, percent_reached, quota_of
from pingpilot.accounts.sign_in import new_sign_in_link
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.own_words import own_words
from pingpilot.errors import DeliveryFailure, InvalidInput, LinkRefused, PermanentFailure, TooMany
from pingpilot.events.notices import post_notice
from pingpilot.rendering.times import ago

Send = Callable[[Recipient, Notification], Awaitable[None]]

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
    CommandInfo("failed", "Show failed deliveries and retry them"),
    CommandInfo("dashboard", "Get a link that signs you in to the dashboard"),
    CommandInfo("mute", "Mute notifications for a while", "2h"),
    CommandInfo("unmute", "Turn notifications back on"),
    CommandInfo("help", "Show what I can do"),
)
ROOM_MENU = (
    CommandInfo("link", "Link this room, with a code", "CODE"),
    CommandInfo("unlink", "Stop notifications to this room"),
    CommandInfo("help", "Show what I can do here"),
)
"""What is offered where others read along; the rest is answered in private."""
DESCRIPTIONS = {command.name: command.description for command in MENU}
BAR_LENGTH = 10
_MOST_DASHBOARDS = 5  # Discord takes five buttons a row
_LONGEST_BUTTON = 80  # https://discord.com/developers/docs/components/reference#button
_TRIES_AFTER = (5.0, 30.0, 120.0)  # seconds
P = ParamSpec("P")
NOT_LINKED = Reply.of(
    "This chat is not linked to an account yet.",
    ("Ask your account's owner for a code (", Code("pingpilot link-code"), "), then send me:"),
    (Code("/link CODE"),),
)
CRASHED = Reply.of("Something went wrong on our side. Please try again in a moment.")


def of_accounts(
    command: Callable[Concatenate["Commands", ChatUser, Sequence[Account], P], Awaitable[Reply]],
) -> Callable[Concatenate["Commands", ChatUser, P], Awaitable[Reply]]:
    """Make a command one about the accounts that a chat is linked to, those that are suspended left out."""

    @wraps(command)
    async def answer(self: "Commands", user: ChatUser, /, *args: P.args, **kwargs: P.kwargs) -> Reply:
        linked = await accounts_of(user.channel, user.user_id)
        accounts = [each for each in linked if each.suspended_at is None]
        if accounts:
            return await command(self, user, accounts, *args, **kwargs)
        return self.suspended(linked) if linked else NOT_LINKED

    return answer


class Commands:
    """Answers chat users. Every method returns a reply and raises nothing a user could cause.

    `on_deliveries` is told the channels that have something to do. `send` sends to a chat of the platform,
    whether an account leads there or not, as `Channel.send`. `base_url` is where people reach the dashboard.
    `rooms` answers where others read along. What is linked here is the bot's of this `lane`.
    """

    def __init__(
        self,
        *,
        limits: PlanLimits,
        clock: Clock,
        on_deliveries: Callable[[set[str]], None],
        send: Send,
        base_url: str = "",
        lane: int = 0,
    ) -> None:
        self._lane = lane
        self._limits = limits
        self._base_url = base_url
        self._clock = clock
        self._on_deliveries = on_deliveries
        self._send = send
        self._under_way = set[asyncio.Task[None]]()
        self._failures = Failures(clock=clock, on_deliveries=on_deliveries)
        self.rooms = RoomCommands(clock=clock, on_deliveries=on_deliveries, lane=lane)

    async def link(self, user: ChatUser, code: str, *, address: str) -> Reply:
        """Link this chat with a one-time code or an API key, and send it a first test notification."""
        if not without_brackets(code):
            return Reply.of(
                ("Please add the code: ", Code("/link CODE")),
                ("Your account's owner gets one with ", Code("pingpilot link-code"), "."),
            )
        now = self._clock.now()
        try:
            linked = await linking.link(user, code, address=address, now=now, lane=self._lane)
        except LinkRefused as exc:
            return Reply.of(str(exc))
        account, label = linked.account, CHANNELS[user.channel].label
        text = f"{label} is linked to {account.email}. Your notifications arrive here from now on."
        await post_notice(account.id, text, only=user.channel, now=now)
        self._on_deliveries({user.channel})
        if linked.old_address and linked.old_address != address:
            await self._tell_of_move(account, user, linked.old_address)
        return Reply.of(
            ("✅ Linked to ", Bold(account.email), "."),
            "A test notification is on its way. If it does not arrive, check that I may message you.",
        )

    async def _tell_of_move(self, account: Account, user: ChatUser, old_address: str) -> None:
        """Tell the account's other channels, and the chat that lost it, where its notifications go now.

        Who took a code or a key would else have them without anybody noticing.
        """
        label, now = CHANNELS[user.channel].label, self._clock.now()
        who = f"@{user.username}" if user.username else f"the user {user.user_id}"
        remedy = "If that was not you, link your own chat again and revoke your API keys."
        text = f"{label} of {account.email} goes to a chat with {who} from now on. {remedy}"
        self._on_deliveries(await post_notice(account.id, text, but=user.channel, now=now))
        text = f"The notifications of {account.email} no longer come here, but to another chat. {remedy}"
        task = asyncio.create_task(self._tell_chat(Recipient(account.id, old_address), text))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _tell_chat(self, recipient: Recipient, text: str) -> None:
        """Send a chat that no account leads to any more a notice; a few tries, since nothing keeps it."""
        now = self._clock.now()
        notice = own_words(text, now)
        for pause in (*_TRIES_AFTER, None):
            try:
                await self._send(recipient, notice)
            except PermanentFailure:
                return  # the chat is gone, and nobody there can be told
            except DeliveryFailure as exc:
                if pause is None:
                    log.warning("A chat was not told that it lost its account", reason=exc.reason)
                    return
                await self._clock.sleep(pause)
            else:
                return

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
            return Reply.of("This chat is linked to several accounts. Choose one:", *choices)
        now = self._clock.now()
        await linking.unlink(accounts[0], user.channel, now)
        text = f"{CHANNELS[user.channel].label} was unlinked from {accounts[0].email}, by its chat."
        self._on_deliveries(await post_notice(accounts[0].id, text, now=now))
        return Reply.of(("Unlinked from ", Bold(accounts[0].email), ". Nothing more will be sent here."))

    def suspended(self, accounts: Sequence[Account]) -> Reply:
        """Tell somebody of whose accounts none is in use."""
        return Reply.of(*[f"🔒 {suspended_words(each.email, self._limits.contact)}" for each in accounts])

    @of_accounts
    async def categories(self, user: ChatUser, accounts: Sequence[Account]) -> Reply:
        """List the categories of each linked account with their month so far and their last events."""
        now = self._clock.now()
        lines: list[Line] = []
        for account in accounts:
            lines += await _heading(account, user.channel)
            reports = await report_categories(account, now)
            if not reports:
                lines.append(("No categories yet. Add one: ", Code("pingpilot category add")))
            for report in reports:
                emoji = f"{report.emoji} " if report.emoji else ""
                last = f", last {ago(now - report.last_event_at)}" if report.last_event_at else ""
                lines.append((emoji, Bold(report.name), f" – {report.events_this_month:,} this month{last}"))
        return Reply(tuple(lines))

    @of_accounts
    async def quota(self, user: ChatUser, accounts: Sequence[Account]) -> Reply:
        """Show what each linked account has used of its month's quota, with a bar where there is a limit."""
        lines: list[Line] = []
        for account in accounts:
            lines += await _heading(account, user.channel)
            quota = await quota_of(account, self._limits, self._clock.now())
            used, plan = f"{quota.used:,}", f"({quota.plan} plan)"
            if quota.limit is None:
                lines.append((f"{used} events this month, no limit {plan}",))
                continue
            share = min(1.0, quota.used / quota.limit) if quota.limit else 1.0
            filled = round(share * BAR_LENGTH)
            lines += [
                (Code("▰" * filled + "▱" * (BAR_LENGTH - filled)), f" {share:.0%}"),
                (f"{used} of {quota.limit:,} events used {plan}, {quota.remaining:,} left",),
                (f"Resets on {quota.resets_at.day} {quota.resets_at:%B %Y} (UTC)",),
            ]
            if percent_reached(quota.used, quota.limit):
                lines.append((f"For more, ask {self._limits.contact}.",))
        return Reply(tuple(lines))

    @of_accounts
    async def dashboard(self, _user: ChatUser, accounts: Sequence[Account]) -> Reply:
        """Send a one-time link to the dashboard of each linked account."""
        lines: list[Line] = []
        links: list[Link] = []
        for account in accounts[:_MOST_DASHBOARDS]:
            try:
                link = await new_sign_in_link(account, self._base_url, self._clock.now())
            except TooMany as exc:
                lines.append((Bold(account.email), f": {exc}"))
                continue
            # Neither platform takes a button that leads into a network of one's own
            if link.url.startswith("https://"):
                links.append(Link(f"Sign in as {account.email}"[:_LONGEST_BUTTON], link.url))
            else:
                lines.append((Bold(account.email), ": ", Code(link.url)))
        lines.append(("A link works once, for 10 minutes, and is for you alone: do not forward it.",))
        return Reply(tuple(lines)).with_links(*links)

    @of_accounts
    async def failed(self, _user: ChatUser, accounts: Sequence[Account]) -> Reply:
        """List what failed on any channel of the linked accounts, with buttons that try it again."""
        return await self._failures.list_failed(accounts)

    @of_accounts
    async def retry(self, _user: ChatUser, accounts: Sequence[Account], action: str) -> Reply:
        """Carry out a button of `failed`, for the accounts this chat is linked to now.

        `action` is what the platform says was pressed; it may be anything.
        """
        return await self._failures.retry(accounts, action)

    @of_accounts
    async def mute(self, user: ChatUser, accounts: Sequence[Account], time: str) -> Reply:
        """Hold back what comes for this chat, or its sound; what is urgent still comes."""
        now = self._clock.now()
        try:
            until = now + parse_duration(time)
        except InvalidInput as exc:
            return Reply.of(str(exc))
        waits = {await mute(account, user.channel, until, now=now) for account in accounts}
        if len(waits) > 1:  # the accounts' quiet hours differ
            rest = "waits or arrives silently, depending on the account"
        else:
            rest = "waits" if True in waits else "arrives silently"
        return Reply.of(
            f"🔕 Muted for {time.strip()}. Urgent categories still come through; everything else {rest}.",
            ("To end this early, send ", Code("/unmute"), "."),
        )

    @of_accounts
    async def unmute(self, user: ChatUser, accounts: Sequence[Account]) -> Reply:
        """Let everything through again, also what was held back."""
        for account in accounts:
            await mute(account, user.channel, None, now=self._clock.now())
        return Reply.of("🔔 Unmuted: notifications come through again.")

    async def help(self, user: ChatUser) -> Reply:
        """Say what there is, and whether this chat is linked."""
        accounts = await accounts_of(user.channel, user.user_id)
        commands: list[Line] = [
            (Code(f"/{each.name} {each.usage}".strip()), f" – {each.description}") for each in MENU
        ]
        status: list[Line] = []
        for each in accounts:
            status += [("Linked to ", Bold(each.email), "."), *await _suspensions(each, user.channel)]
        if suspended := [each for each in accounts if each.suspended_at is not None]:
            status += self.suspended(suspended).lines
        return Reply.of(
            "I bring you notifications from your programs.", *commands, *(status or NOT_LINKED.lines)
        )


async def _heading(account: Account, channel: str) -> list[Line]:
    """Return the account's address, why nothing is sent over the channel where it is suspended, and that
    its events go nowhere where no other can be used either.
    """
    lines = await _suspensions(account, channel)
    if not await Destination.usable(account.id).exists():
        lines.append(("⚠️ No channel can be used: new events are stored, and go nowhere.",))
    return [(Bold(account.email),), *lines]


async def _suspensions(account: Account, channel: str) -> list[Line]:
    """Return why nothing is sent over the channel and how that ends; no line where it is not suspended."""
    return [
        (
            f"⚠️ Suspended, nothing is sent here: {row.suspended_reason} To resume, get a new code (",
            Code("pingpilot link-code"),
            ") and send me ",
            Code("/link CODE"),
            ".",
        )
        for row in await direct_destinations(account)
        if row.channel == channel and row.suspended_reason
    ]


async def answered(command: Awaitable[Reply]) -> Reply:
    """Return the command's reply, or a sentence for the user where it crashed; the log has the rest."""
    try:
        return await command
    except Exception:
        log.exception("A bot command crashed")
        return CRASHED
