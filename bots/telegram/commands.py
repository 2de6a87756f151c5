"""Chat commands and buttons: Telegram's side of `bots.commands`."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from telegram import CallbackQuery, Message, Update, User
from telegram.constants import ParseMode
from telegram.error import BadRequest, RetryAfter, TelegramError
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    CommandHandler,
    MessageHandler,
    filters,
)

from bots.commands import CRASHED, Commands, answered
from bots.replies import Reply
from bots.telegram.channel import pause_named_by
from bots.telegram.markup import keyboard, send, written
from bots.telegram.message import NO_PREVIEW
from bots.telegram.requests import LeadsNoLonger
from bots.telegram.rooms import RoomChats, topic_of
from pingpilot.accounts.keys import KEY_PREFIX
from pingpilot.accounts.linking import ChatUser, is_code_or_key, without_brackets
from pingpilot.channels import TELEGRAM
from pingpilot.rendering.text import cut_end

Context = CallbackContext[Any, Any, Any, Any]
Answer = Callable[[ChatUser, Message, str], Awaitable[Reply]]

ONLY_PRIVATE = Reply.of("My buttons work in our private chat, where nobody else can read along.")
LONGEST_TOAST = 200  # https://core.telegram.org/bots/api#answercallbackquery
_UNCHANGED = "message is not modified"
_MOST_WAITS = 3  # for flood control, before a reply is given up

log = structlog.get_logger(__name__)


class ChatCommands:
    """Adapts commands and pressed buttons in private chats to Telegram: words in, an HTML message out."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._rooms = RoomChats(commands.rooms)

    def close(self) -> None:
        """Let no answer wait any more."""
        self._rooms.close()

    def add_to(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register every command, an answer to anything else, the buttons, what works in rooms, and the error
        handler.
        """
        commands = self._commands
        answers: dict[str, Answer] = {
            # A deep link sends `/start CODE`; whoever just opens the bot sends `/start`
            "start": lambda user, message, words: (
                self._link(user, message, words) if words else commands.help(user)
            ),
            "link": self._link,
            "unlink": lambda user, _, words: commands.unlink(user, words),
            "categories": lambda user, *_: commands.categories(user),
            "quota": lambda user, *_: commands.quota(user),
            "failed": lambda user, *_: commands.failed(user),
            "dashboard": lambda user, *_: commands.dashboard(user),
            "mute": lambda user, _, words: commands.mute(user, words),
            "unmute": lambda user, *_: commands.unmute(user),
            "help": lambda user, *_: commands.help(user),
        }
        for name, answer in answers.items():
            application.add_handler(CommandHandler(name, _handler(answer), filters.ChatType.PRIVATE))
        anything = filters.ChatType.PRIVATE & filters.TEXT
        application.add_handler(MessageHandler(anything, _handler(self._read)))
        application.add_handler(CallbackQueryHandler(self._press))
        self._rooms.add_to(application)

        async def log_failure(_update: object, context: Context) -> None:
            if isinstance(context.error, LeadsNoLonger):
                log.info("A reply on Telegram was not sent", reason=context.error.message)
                return
            log.error("A reply on Telegram failed", exc_info=context.error)

        application.add_error_handler(log_failure)

    async def _read(self, user: ChatUser, message: Message, _words: str) -> Reply:
        """Answer what is no command: a code or key alone links, anything else is answered with help."""
        text = message.text or ""
        return await (self._link(user, message, text) if is_code_or_key(text) else self._commands.help(user))

    async def _link(self, user: ChatUser, message: Message, words: str) -> Reply:
        if without_brackets(words).startswith(KEY_PREFIX):  # a key must not stay readable in the chat
            try:
                await message.delete()
            except TelegramError:
                log.warning("A message with an API key could not be deleted", exc_info=True)
        return await self._commands.link(user, words, address=str(message.chat.id))

    async def _press(self, update: Update, _context: Context) -> None:
        """Carry out a pressed button. Telegram vouches for who presses it, and for nothing else: a client of
        one's own may send any data.
        """
        query = update.callback_query
        if query is None:
            return
        # A private chat has its owner's id; in any other, people would read along
        if query.message is None or query.message.chat.id != query.from_user.id:
            await _toast(query, ONLY_PRIVATE, alert=True)
            return
        reply = await answered(self._commands.retry(chat_user(query.from_user), query.data or ""))
        await _toast(query, reply, alert=reply is CRASHED)
        if reply is not CRASHED:  # the buttons stay for another try
            await _show(query, reply)


def _handler(answer: Answer) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
    async def handle(update: Update, context: Context) -> None:
        message, user = update.effective_message, update.effective_user
        if message is None or user is None:
            return
        words = " ".join(context.args or ())
        reply = await answered(answer(chat_user(user), message, words))
        await _wait_out_flood_control(lambda: send(message.chat, reply, topic=topic_of(message)))

    return handle


def chat_user(user: User) -> ChatUser:
    """Return who is speaking, as the rest of PingPilot knows them."""
    return ChatUser(TELEGRAM.name, str(user.id), user.username)


async def _toast(query: CallbackQuery, reply: Reply, *, alert: bool) -> None:
    """Answer the press, which ends its progress bar; what is too late for that is shown all the same."""
    try:
        await query.answer(cut_end(reply.headline, LONGEST_TOAST), show_alert=alert)
    except TelegramError:
        log.warning("A pressed button could not be answered", exc_info=True)


async def _show(query: CallbackQuery, reply: Reply) -> None:
    """Put the reply in place of the message with the button, or below it where that is not there any more."""
    message = query.message
    if message is None:
        return
    try:
        await _wait_out_flood_control(
            lambda: query.get_bot().edit_message_text(  # the message's own method refuses old ones unasked
                written(reply),
                chat_id=message.chat.id,
                message_id=message.message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(reply),
                link_preview_options=NO_PREVIEW,
            )
        )
    except BadRequest as exc:
        if _UNCHANGED not in exc.message.lower():
            await _wait_out_flood_control(lambda: send(message.chat, reply, topic=topic_of(message)))


async def _wait_out_flood_control(request: Callable[[], Awaitable[Any]]) -> None:
    """Make a request, and again after each pause that is asked for; notifications share the allowance."""
    for _ in range(_MOST_WAITS):
        try:
            await request()
        except RetryAfter as exc:
            await asyncio.sleep(pause_named_by(exc).total_seconds())
        else:
            return
    await request()
