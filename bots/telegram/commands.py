"""Chat commands: Telegram's side of `bots.commands`."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from telegram import Chat, LinkPreviewOptions, Message, Update, User
from telegram.constants import ParseMode
from telegram.error import RetryAfter, TelegramError
from telegram.ext import Application, CallbackContext, CommandHandler, MessageHandler, filters

from bots.commands import Commands, answered
from bots.replies import Reply
from bots.telegram.channel import seconds_of
from bots.telegram.markup import keyboard, written
from pingpilot.accounts.keys import KEY_PREFIX
from pingpilot.accounts.linking import ChatUser
from pingpilot.channels import TELEGRAM

Context = CallbackContext[Any, Any, Any, Any]
Answer = Callable[[ChatUser, Message, str], Awaitable[Reply]]

ONLY_PRIVATE = Reply.of("I answer in private chats only, since others would read it here. Write to me there.")
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_PATIENCE = 3  # waits for flood control before a reply is given up

log = structlog.get_logger(__name__)


class ChatCommands:
    """Adapts the commands to Telegram: words in, an HTML message out."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def add_to(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register every command, an answer to anything else, and the error handler."""
        answers: dict[str, Answer] = {
            "start": self._start,
            "link": self._link,
            "unlink": lambda user, _, words: self._commands.unlink(user, words),
            "categories": lambda user, *_: self._commands.categories(user),
            "quota": lambda user, *_: self._commands.quota(user),
            "failed": lambda user, *_: self._commands.failed(user),
            "mute": lambda user, _, words: self._commands.mute(user, words),
            "unmute": lambda user, *_: self._commands.unmute(user),
            "help": lambda user, *_: self._commands.help(user),
        }
        for name, answer in answers.items():
            application.add_handler(CommandHandler(name, _handler(answer)))
        anything = _handler(answers["help"])
        application.add_handler(MessageHandler(filters.ChatType.PRIVATE & filters.TEXT, anything))
        application.add_error_handler(_log_failure)

    async def _start(self, user: ChatUser, message: Message, words: str) -> Reply:
        """A deep link sends `/start CODE`; whoever just opens the bot sends `/start`."""
        return await (self._link(user, message, words) if words else self._commands.help(user))

    async def _link(self, user: ChatUser, message: Message, words: str) -> Reply:
        if words.startswith(KEY_PREFIX):
            await _delete(message)  # a key must not stay readable in the chat
        return await self._commands.link(user, words, address=str(message.chat.id))


def _handler(answer: Answer) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
    async def handle(update: Update, context: Context) -> None:
        message, user = update.effective_message, update.effective_user
        if message is None or user is None:
            return
        reply = ONLY_PRIVATE
        if message.chat.type == Chat.PRIVATE:
            words = " ".join(context.args or ())
            reply = await answered(answer(chat_user(user), message, words))
        await send(message.chat, reply)

    return handle


def chat_user(user: User) -> ChatUser:
    """Return who is speaking, as the rest of PingPilot knows them."""
    return ChatUser(TELEGRAM.name, str(user.id), user.username)


async def send(chat: Chat, reply: Reply) -> None:
    """Send a reply into a chat."""
    await patiently(
        lambda: chat.send_message(
            written(reply),
            parse_mode=ParseMode.HTML,
            reply_markup=keyboard(reply),
            link_preview_options=NO_PREVIEW,
        )
    )


async def patiently(request: Callable[[], Awaitable[Any]]) -> None:
    """Make a request, waiting as often as Telegram's flood control asks; notifications use up the same
    allowance.
    """
    for _ in range(_PATIENCE):
        try:
            await request()
        except RetryAfter as exc:
            await asyncio.sleep(seconds_of(exc).total_seconds())
        else:
            return
    await request()


async def _delete(message: Message) -> None:
    try:
        await message.delete()
    except TelegramError:
        log.warning("A message with an API key could not be deleted", exc_info=True)


async def _log_failure(_update: object, context: Context) -> None:
    log.error("A reply on Telegram failed", exc_info=context.error)
