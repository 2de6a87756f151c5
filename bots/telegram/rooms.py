"""Telegram's groups, topics of forums and channels: who may link them, and what becomes of the bot there."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import structlog
from telegram import Chat, ChatMember, ChatMemberAdministrator, ChatMemberRestricted, Message, Update
from telegram.error import BadRequest, Forbidden, RetryAfter, TelegramError
from telegram.ext import (
    Application,
    CallbackContext,
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    filters,
)

from bots.commands import CRASHED, MENU, answered
from bots.replies import Reply
from bots.rooms import RoomCommands
from bots.telegram.channel import pause_named_by
from bots.telegram.markup import send
from models import Destination
from pingpilot.accounts.linking import ChatUser, without_brackets
from pingpilot.accounts.rooms import Room
from pingpilot.channels import TELEGRAM
from pingpilot.rendering.text import one_line

Context = CallbackContext[Any, Any, Any, Any]
Handle = Callable[[Update, Context], Coroutine[Any, Any, None]]

MOST_LATE = 100
"""Rooms whose answer may wait for flood control at a time."""
LONGEST_PAUSE, MOST_TRIES = timedelta(minutes=2), 3
"""What takes longer or more is dropped; a room takes 20 messages a minute."""
CANT_SEE_WHO_YOU_ARE = Reply.of(
    "Telegram doesn't tell me who is an administrator here: make me one, then try again."
)
# What somebody forwards, or a channel's post in the group below it, was not said to us
_SAID_TO_US = (
    (filters.UpdateType.MESSAGE | filters.UpdateType.CHANNEL_POST)
    & ~filters.ChatType.PRIVATE
    & ~filters.FORWARDED
    & ~filters.IS_AUTOMATIC_FORWARD
)
_ADMINISTRATORS = (ChatMember.OWNER, ChatMember.ADMINISTRATOR)

log = structlog.get_logger(__name__)


class RoomChats:
    """Adapts the commands for rooms to Telegram, and follows what happens to the bot in its rooms."""

    def __init__(self, rooms: RoomCommands) -> None:
        self._rooms = rooms
        self._late: dict[int, tuple[Message, Reply]] = {}
        self._waiting = set[asyncio.Task[None]]()
        self._is_closed = False

    def add_to(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register every command for rooms; other bots' (`/help@OtherBot`) are none of ours."""
        for name in ("start", *(command.name for command in MENU)):
            application.add_handler(CommandHandler(name, self._handler(name), filters=_SAID_TO_US))
        application.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, self._follow))
        application.add_handler(ChatMemberHandler(self._note_standing, ChatMemberHandler.MY_CHAT_MEMBER))

    def close(self) -> None:
        """Let no answer wait any more."""
        self._is_closed = True
        for task in self._waiting:
            task.cancel()

    def _handler(self, command: str) -> Handle:
        async def handle(update: Update, context: Context) -> None:
            message = update.effective_message
            if message is None:
                return
            words = " ".join(context.args or ())
            reply = await answered(self._answer(command, message, words, context.bot.username))
            try:
                await send(message.chat, reply, topic=topic_of(message))
            except RetryAfter as exc:
                self._say_later(message, reply, pause_named_by(exc))
            except TelegramError as exc:
                log.info("An answer in a Telegram room was not taken", reason=exc.message)

        return handle

    def _say_later(self, message: Message, reply: Reply, pause: timedelta, tries: int = MOST_TRIES) -> None:
        """Send an answer after the pause that Telegram asks for: the room's notifications use its allowance.

        Handlers don't wait for that, since anybody may keep them busy in a group of their own. A room has one
        answer that waits, its latest.
        """
        chat_id = message.chat.id
        if chat_id in self._late:
            self._late[chat_id] = message, reply
        elif tries and len(self._late) < MOST_LATE and pause <= LONGEST_PAUSE and not self._is_closed:
            self._late[chat_id] = message, reply
            task = asyncio.create_task(self._say_late(chat_id, pause, tries))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        else:
            log.info("An answer in a Telegram room was not taken", reason="flood control")

    async def _say_late(self, chat_id: int, pause: timedelta, tries: int) -> None:
        await asyncio.sleep(pause.total_seconds())
        message, reply = self._late.pop(chat_id)
        try:
            await send(message.chat, reply, topic=topic_of(message))
        except RetryAfter as exc:
            self._say_later(message, reply, pause_named_by(exc), tries - 1)
        except TelegramError as exc:
            log.info("An answer in a Telegram room was not taken", reason=exc.message)

    async def _answer(self, command: str, message: Message, words: str, bot_name: str) -> Reply:
        if command == "start":  # `?startgroup=CODE` sends `/start@Bot CODE`
            command = "link" if words else "help"
        private_url = f"https://t.me/{bot_name}"
        room = _room_of(message)
        if command == "help":
            return await self._rooms.help(room, who_may="administrators", private_url=private_url)
        if command not in ("link", "unlink"):
            return self._rooms.elsewhere(command, private_url)
        if command == "link" and without_brackets(words):
            await self._delete(message)  # others could use the code meanwhile, if it is refused
        try:
            administrator = await _administrator_who_wrote(message)
        except TelegramError as exc:
            log.info("Telegram does not tell a member's status", reason=exc.message)
            return CANT_SEE_WHO_YOU_ARE if isinstance(exc, BadRequest | Forbidden) else CRASHED
        if administrator is None:
            return self._rooms.refused("administrators", words)
        if command == "unlink":
            return await self._rooms.unlink(administrator, room)
        return await self._rooms.link(administrator, room, words)

    async def _delete(self, message: Message) -> None:
        try:
            await message.delete()
        except TelegramError as exc:
            log.info("A message with a code could not be deleted", reason=exc.message)

    async def _follow(self, update: Update, _context: Context) -> None:
        """Let what leads to a group lead to the supergroup that it has become; both tell of it."""
        if (message := update.effective_message) is None:
            return
        if message.migrate_to_chat_id:
            await _move(message.chat.id, to=message.migrate_to_chat_id)
        elif message.migrate_from_chat_id:
            await _move(message.migrate_from_chat_id, to=message.chat.id)

    async def _note_standing(self, update: Update, _context: Context) -> None:
        """Suspend a room that the bot was removed from, or may not write in any more.

        Being added again, or promoted, lifts nothing: somebody else may have done that.
        """
        change = update.my_chat_member
        if change is None or change.chat.type == Chat.PRIVATE:
            return
        reason = _why_not_usable(change.new_chat_member, change.chat)
        if reason is not None:
            await self._rooms.suspend(TELEGRAM.name, str(change.chat.id), reason)


def topic_of(message: object) -> int | None:
    """Return the forum topic a message is in; what was deleted tells nothing of it."""
    return message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None


def _room_of(message: Message) -> Room:
    """Return the room a message was written in: of a forum, the topic, unless it is the General one."""
    title, topic = message.chat.title or "", topic_of(message)
    begun = message.reply_to_message.forum_topic_created if message.reply_to_message else None
    if topic and begun:
        title = f"{title} / {begun.name}"
    return Room(TELEGRAM.name, str(message.chat.id), one_line(title), topic=str(topic) if topic else None)


async def _administrator_who_wrote(message: Message) -> ChatUser | None:
    """Return the administrator who wrote a message, None where its writer is none.

    Only administrators write in the name of the room itself, which is all that is told of them then, and
    nobody else posts in a channel. Raises `TelegramError` where Telegram does not tell.
    """
    user, in_the_name_of = message.from_user, message.sender_chat
    if message.chat.type == Chat.CHANNEL or (in_the_name_of and in_the_name_of.id == message.chat.id):
        return ChatUser(TELEGRAM.name, str(message.chat.id), None)
    if in_the_name_of is not None:
        return None
    if user is None:
        return None
    try:
        member = await message.get_bot().get_chat_member(message.chat.id, user.id)
    except BadRequest as exc:
        if "not found" in exc.message.lower():
            return None
        raise
    return ChatUser(TELEGRAM.name, str(user.id), user.username) if member.status in _ADMINISTRATORS else None


def _why_not_usable(bot: ChatMember, chat: Chat) -> str | None:
    """Return why the bot can't write in a room, as a sentence; None where it can."""
    where = "channel" if chat.type == Chat.CHANNEL else "group"
    is_in_room, may_write = bot.status not in (ChatMember.LEFT, ChatMember.BANNED), True
    if isinstance(bot, ChatMemberRestricted):
        is_in_room, may_write = bot.is_member, bot.can_send_messages
    elif chat.type == Chat.CHANNEL:  # nobody else posts there
        may_write = isinstance(bot, ChatMemberAdministrator) and bool(bot.can_post_messages)
    if not is_in_room:
        return f"The bot was removed from the {where}."
    return None if may_write else f"The bot may not write in the {where} any more."


async def _move(chat_id: int, *, to: int) -> None:
    await Destination.move_room(TELEGRAM.name, str(chat_id), to=str(to))
