"""What the bots say and do in rooms, where others read along: nothing of an account is told there.

Free of any platform, as `bots.commands` is. Each platform makes sure first that who sends `/link` or
`/unlink` may do so, and answers `refused` to everybody else.
"""

from collections.abc import Callable
from datetime import datetime

from bots.replies import Bold, Code, Link, Reply
from models.database import transaction, unit_of_work
from models.destination import Obstacle, obstacle_to
from pingpilot.accounts.linking import ChatUser, without_brackets
from pingpilot.accounts.rooms import (
    NO_KEYS,
    Room,
    begins_a_key,
    destinations_in,
    link_room,
    suspend_rooms,
    unlink_room,
)
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock
from pingpilot.errors import LinkRefused
from pingpilot.events.notices import post_notice
from pingpilot.rendering.text import clean_text, cut_end

LONGEST_SHOWN_TITLE = 60
"""Characters of a room's title in a sentence: its members name it, and may write whatever they like."""


class RoomCommands:
    """Answers in rooms. Every method returns a reply and raises nothing a user could cause.

    `on_deliveries` is told the channels that have something to do. The bot of this `lane` is spoken to: rooms
    are linked with it, and what it loses are those.
    """

    def __init__(self, *, clock: Clock, on_deliveries: Callable[[set[str]], None], lane: int = 0) -> None:
        self._lane = lane
        self._clock = clock
        self._on_deliveries = on_deliveries

    async def link(self, user: ChatUser, room: Room, code: str) -> Reply:
        """Link this room with a one-time code, send it a test notification, and tell the account's owner."""
        if not without_brackets(code):
            return Reply.of(
                ("Please add the code: ", Code("/link CODE")),
                ("The account's owner gets one with ", Code("pingpilot link-code --room NAME"), "."),
            )
        now = self._clock.now()
        try:
            linked = await link_room(user, room, code, now=now, lane=self._lane)
        except LinkRefused as exc:
            return Reply.of(str(exc))
        account, name = linked.account, linked.destination
        test = f"This room is linked as '{name}'. Notifications for it arrive here from now on."
        await post_notice(account.id, test, only=name, now=now)
        text = (
            f"{_shown(room)} is linked to {account.email} as '{name}', by {_who(user, room)}. "
            f"If that was not you, remove it: pingpilot destination remove {name} --account {account.email}"
        )
        self._on_deliveries({room.channel, *await post_notice(account.id, text, now=now)})
        return Reply.of(
            ("✅ This room is linked as ", Bold(name), "."),
            "A test notification is on its way. If it does not arrive, check that I may write here.",
        )

    async def unlink(self, user: ChatUser, room: Room) -> Reply:
        """Unlink this room, whichever account it belongs to, and tell that account's owner."""
        now = self._clock.now()
        removed = await unlink_room(room, now)
        if not removed:
            return Reply.of("This room is not linked.")
        woken = {room.channel}
        for known, categories in removed:
            text = f"{_shown(room)} ('{known.name}') was unlinked, in the room, by {_who(user, room)}."
            if categories:
                text += f" These categories name it still: {', '.join(categories)}."
            woken |= await post_notice(known.account_id, text, now=now)
        self._on_deliveries(woken)
        return Reply.of("This room is unlinked. No more notifications come here.")

    async def help(self, room: Room, *, who_may: str, private_url: str | None = None) -> Reply:
        """Say what works in this room, and whether it is linked. `who_may` link it: "administrators"."""
        obstacles = [
            obstacle_to(enabled=each.enabled, address=each.address, suspended_reason=each.suspended_reason)
            for each in await destinations_in(room)
        ]
        if not obstacles:
            status = "It is not linked."
        elif None in obstacles:
            status = "It is linked."
        else:
            why = "switched off" if Obstacle.OFF in obstacles else "suspended"
            status = f"It is linked, but {why}."
        return Reply.of(
            f"I bring notifications from programs into this room. {status}",
            (Code("/link CODE"), f" – links it ({who_may} only)"),
            (Code("/unlink"), f" – stops its notifications ({who_may} only)"),
            "Everything else I answer in our private chat, where nobody else reads along.",
        ).with_links(*_private(private_url))

    def elsewhere(self, command: str, private_url: str | None = None) -> Reply:
        """Answer one of the other commands, such as `quota`, without a word about any account."""
        answer = Reply.of(("Others read along here: send me ", Code(f"/{command}"), " in our private chat."))
        return answer.with_links(*_private(private_url))

    def refused(self, who_may: str, words: str = "") -> Reply:
        """Answer somebody who may not link or unlink this room. `who_may`: "administrators"; `words` is what
        they sent with the command.
        """
        if begins_a_key(words):  # whoever it belongs to, others have read it now
            return Reply.of(NO_KEYS)
        return Reply.of(f"Only {who_may} can link or unlink this room: ask one of them.")

    @unit_of_work
    async def suspend(self, channel: str, address: str, reason: str) -> None:
        """Stop sending to a room and its topics, since the bot can't any more, and tell the owners.

        `reason` is a sentence: "The bot was removed from the group."
        """
        self._on_deliveries(await _suspend_and_tell(channel, self._lane, address, reason, self._clock.now()))


@unit_of_work
async def _suspend_and_tell(channel: str, lane: int, address: str, reason: str, now: datetime) -> set[str]:
    """Suspend a room and queue what tells the owners, both or neither; return the channels to wake."""
    woken = set[str]()
    async with transaction():
        for each in await suspend_rooms(channel, address, reason, lane=lane):
            text = (
                f"The destination '{each.name}' ({CHANNELS[channel].label}) is suspended: {reason} To go on, "
                "let the bot write there again, then switch it on or link it again."
            )
            woken |= await post_notice(each.account_id, text, now=now)
    return woken


def _private(url: str | None) -> list[Link]:
    return [Link("Open our private chat", url)] if url else []


def _shown(room: Room) -> str:
    """Return what a room is called in a sentence for an account's owner."""
    title = cut_end(" ".join(clean_text(room.title).split()), LONGEST_SHOWN_TITLE)
    return f'The {CHANNELS[room.channel].label} room "{title}"'


def _who(user: ChatUser, room: Room) -> str:
    if user.user_id == room.address:
        return "an administrator in the room's own name"
    return f"@{user.username}" if user.username else f"the user {user.user_id}"
