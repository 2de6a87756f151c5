"""The Bot API's methods, as far as PingPilot's bot uses them."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pingpilot.sandbox.inbox import Changes, Inbox
from pingpilot.sandbox.server import utf16_length
from pingpilot.sandbox.telegram.chats import Chats
from pingpilot.sandbox.telegram.html import BadMarkup, mentions, parse_html, trim
from pingpilot.sandbox.telegram.limits import RateLimits
from pingpilot.sandbox.telegram.model import CallbackAnswer, Json, TelegramMessage, message_json
from pingpilot.sandbox.telegram.params import Params, refused
from pingpilot.sandbox.telegram.webhook import WebhookPoster

MAX_TEXT = 4096
"""After parsing, in UTF-16 code units (Bot API, "sendMessage")."""

MAX_TOAST = 200
"""Of the answer to a pressed button (Bot API, "answerCallbackQuery")."""

MAX_DATA_BYTES = 64
"""Of what an inline button sends (Bot API, "InlineKeyboardButton")."""

MAX_DESCRIPTION = 256
MENU_SCOPES = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}
"""Of the scopes that a menu of commands can have, those that name no chat (Bot API, "BotCommandScope")."""
ABILITIES = {
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
}
"""What getMe tells beside who the bot is."""

_COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")


class BotApi:
    """What the bot may call, and what it has done by that."""

    def __init__(
        self,
        *,
        bot: Callable[[], Json],
        chats: Chats,
        limits: RateLimits,
        webhook: WebhookPoster,
        changes: Changes,
    ) -> None:
        self.inbox = Inbox[TelegramMessage](changes)
        self.edits = Inbox[TelegramMessage](changes)
        self.answers = Inbox[CallbackAnswer](changes)
        self.deleted: list[tuple[int, int]] = []
        self.menus: dict[str, list[Json]] = {}
        self.pressed: set[str] = set()
        self._bot = bot
        self._chats = chats
        self._limits = limits
        self._message_ids = itertools.count(1)
        self._in_chats: set[tuple[int, int]] = set()
        self._methods: dict[str, Callable[[Params], Any]] = {
            "answercallbackquery": self._answer_callback_query,
            "deletemessage": self._delete_message,
            "deletewebhook": webhook.delete,
            "editmessagetext": self._edit_message_text,
            "getchatmember": self._get_chat_member,
            "getme": lambda _params: self._bot() | ABILITIES,
            "getmycommands": lambda params: self.menus.get(_read_scope(params), []),
            "getwebhookinfo": lambda _params: webhook.info(),
            "sendchataction": lambda params: bool(self._chats.open_for_bot(params.text("chat_id"))),
            "sendmessage": self._send_message,
            "setmycommands": self._set_my_commands,
            "setwebhook": webhook.set,
        }

    def call(self, name: str, params: Params) -> Any:
        """Return a method's result; raises `Refused`. Names are taken in any case, as by Telegram."""
        method = self._methods.get(name.lower())
        if method is None:
            raise refused(404, "Not Found")
        return method(params)

    def next_message_id(self, chat_id: int) -> int:
        """Return the id of a message that is about to appear in a chat."""
        message_id = next(self._message_ids)
        self._in_chats.add((chat_id, message_id))
        return message_id

    def as_json(self, message: TelegramMessage) -> Json:
        """Return the message object of what the bot has sent."""
        chat = self._chats.get(message.chat_id)
        shown = message_json(message.message_id, chat, self._bot(), message.text, message.entities)
        if room := self._chats.rooms.get(message.chat_id):
            shown |= room.in_topic(message.topic)
            if room.type == "channel":  # what is posted there is from the channel
                del shown["from"]
                shown |= {"sender_chat": chat}
        return shown | {"reply_markup": message.reply_markup} if message.reply_markup else shown

    def take_away(self, message: TelegramMessage) -> Json:
        """Delete a message, as a person does, and return what the bot sees of it from then on."""
        self._in_chats.discard((message.chat_id, message.message_id))
        return {"chat": self._chats.get(message.chat_id), "message_id": message.message_id, "date": 0}

    def _send_message(self, params: Params) -> Json:
        topic = params.integer("message_thread_id") or None
        chat = self._chats.writable_for_bot(params.text("chat_id"), topic)
        text, entities = _read_text(params)
        self._limits.count_message(chat["id"])
        message = TelegramMessage(
            message_id=self.next_message_id(chat["id"]),
            chat_id=chat["id"],
            text=text,
            html=params.text("text"),
            entities=entities,
            silent=params.flag("disable_notification"),
            reply_markup=_read_keyboard(params),
            previews_disabled=_disables_previews(params),
            topic=topic,
            via=params.via,
        )
        self.inbox.take(message)
        return self.as_json(message)

    def _edit_message_text(self, params: Params) -> Json:
        chat = self._chats.open_for_bot(params.text("chat_id"))
        key = (chat["id"], params.integer("message_id"))
        places = (at for at, each in enumerate(self.inbox.items) if (each.chat_id, each.message_id) == key)
        place = next(places, None)
        if place is None or key not in self._in_chats:
            raise refused(400, "Bad Request: message to edit not found")
        text, entities = _read_text(params)
        edited = replace(
            self.inbox.items[place],
            text=text,
            html=params.text("text"),
            entities=entities,
            reply_markup=_read_keyboard(params),
            previews_disabled=_disables_previews(params),
            edited=True,
        )
        if replace(edited, html="", edited=False) == replace(self.inbox.items[place], html="", edited=False):
            sentence = "message is not modified: specified new message content and reply markup are exactly"
            raise refused(400, f"Bad Request: {sentence} the same as a current content of the message")
        self.inbox.items[place] = edited
        self.edits.take(edited)
        return self.as_json(edited)

    def _delete_message(self, params: Params) -> bool:
        chat = self._chats.open_for_bot(params.text("chat_id"))
        key = (chat["id"], params.integer("message_id"))
        if key not in self._in_chats:
            raise refused(400, "Bad Request: message to delete not found")
        if room := self._chats.rooms.get(chat["id"]):
            room.check_may_delete(
                own=any((each.chat_id, each.message_id) == key for each in self.inbox.items)
            )
        self._in_chats.discard(key)
        self.deleted.append(key)
        return True

    def _get_chat_member(self, params: Params) -> Json:
        room, user_id = self._chats.room(params.text("chat_id")), params.integer("user_id")
        if room is not None:
            return room.member(user_id, self._bot())
        if user_id == self._bot()["id"]:
            return {"user": self._bot(), "status": "member"}
        raise refused(400, "Bad Request: member not found")

    def _set_my_commands(self, params: Params) -> bool:
        commands = params.structure("commands") or []
        for each in commands:
            is_described = 0 < len(str(each.get("description", "")).strip()) <= MAX_DESCRIPTION
            if not is_described or not _COMMAND_NAME.fullmatch(str(each.get("command", ""))):
                raise refused(400, "Bad Request: BOT_COMMAND_INVALID")
        self.menus[_read_scope(params)] = commands
        return True

    def _answer_callback_query(self, params: Params) -> bool:
        query_id = params.text("callback_query_id")
        if query_id not in self.pressed:
            sentence = "query is too old and response timeout expired or query ID is invalid"
            raise refused(400, f"Bad Request: {sentence}")
        text = params.text("text") or None
        if utf16_length(text or "") > MAX_TOAST:
            raise refused(400, "Bad Request: MESSAGE_TOO_LONG")
        self.pressed.discard(query_id)
        self.answers.take(CallbackAnswer(query_id, text, params.flag("show_alert")))
        return True


def _read_text(params: Params) -> tuple[str, list[Json]]:
    """Return the text and its entities; raises `Refused` for what Telegram would not take."""
    mode, source = params.text("parse_mode").lower(), params.text("text")
    if mode not in ("", "html"):
        raise refused(400, "Bad Request: unsupported parse_mode")
    try:
        text, entities = parse_html(source) if mode else (source, params.structure("entities") or [])
    except BadMarkup as problem:
        raise refused(400, f"Bad Request: can't parse entities: {problem}") from problem
    text, entities = trim(text, entities)
    entities = entities + mentions(text, entities)
    if not text:
        raise refused(400, "Bad Request: message text is empty")
    if utf16_length(text) > MAX_TEXT:
        raise refused(400, "Bad Request: message is too long")
    return text, entities


def _read_keyboard(params: Params) -> Json | None:
    """Return the reply markup; raises `Refused` for a button that Telegram would not take."""
    markup: Json | None = params.structure("reply_markup")
    for row in (markup or {}).get("inline_keyboard") or []:
        for button in row:
            data = button.get("callback_data")
            if data is not None and not 0 < len(str(data).encode()) <= MAX_DATA_BYTES:
                raise refused(400, "Bad Request: BUTTON_DATA_INVALID")
            if data is None and not str(button.get("url", "")).startswith(("https://", "http://", "tg://")):
                raise refused(400, "Bad Request: BUTTON_TYPE_INVALID")
    return markup


def _read_scope(params: Params) -> str:
    """Return which chats a menu is for; raises `Refused` for a scope that Telegram doesn't have."""
    scope = str((params.structure("scope") or {}).get("type", "default"))
    if scope not in MENU_SCOPES:
        raise refused(400, "Bad Request: can't parse BotCommandScope: Unsupported type specified")
    return scope


def _disables_previews(params: Params) -> bool:
    options = params.structure("link_preview_options") or {}
    return bool(options.get("is_disabled")) or params.flag("disable_web_page_preview")
