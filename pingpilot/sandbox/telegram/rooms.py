"""Groups, forums and channels: who is in them, what the bot may do there, and what it is told of them.

Refusals are worded as the Bot API server words them (tdlib/telegram-bot-api, Client.cpp, `check_chat_access`;
TDLib, MessagesManager and ForumTopicManager).
"""

import itertools
import time
from dataclasses import dataclass, field
from typing import Literal

from pingpilot.sandbox.telegram.model import Json, TelegramUser
from pingpilot.sandbox.telegram.params import refused

RoomType = Literal["group", "supergroup", "channel"]
Status = Literal["creator", "administrator", "member", "restricted", "left", "kicked"]

GENERAL = 1
"""The topic that each forum has; it is written to without naming it."""
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
"""Who messages of anonymous administrators are from; their `sender_chat` is the group itself."""
_ICON_COLOR = 0x6FB9F0
_IN_ROOM = ("creator", "administrator", "member", "restricted")
_ADMIN_RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
)
_ADMIN_RIGHTS_OF_TYPE = {
    "group": ("can_pin_messages",),
    "supergroup": ("can_pin_messages", "can_manage_topics"),
    "channel": ("can_post_messages", "can_edit_messages"),
}
_MEMBER_RIGHTS = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_edit_tag",
    "can_react_to_messages",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
)


@dataclass(frozen=True, slots=True)
class Membership:
    """How somebody stands in a room. `rights` are what an administrator may, or a restricted member still."""

    status: Status = "member"
    rights: frozenset[str] = frozenset()
    has_left: bool = False

    @property
    def is_in_room(self) -> bool:
        return self.status in _IN_ROOM and not self.has_left

    def as_json(self, user: Json, room_type: RoomType) -> Json:
        """Return the ChatMember object."""
        shown: Json = {"user": user, "status": self.status}
        if self.status == "creator":
            shown |= {"is_anonymous": False}
        elif self.status == "administrator":
            names = (*_ADMIN_RIGHTS, *_ADMIN_RIGHTS_OF_TYPE[room_type])
            rights = {name: name in self.rights or name == "can_manage_chat" for name in names}
            shown |= {"can_be_edited": False, "is_anonymous": False, **rights}
        elif self.status == "restricted":
            rights = {name: name in self.rights for name in _MEMBER_RIGHTS}
            shown |= {"is_member": not self.has_left, "until_date": 0, **rights}
        elif self.status == "kicked":
            shown |= {"until_date": 0}
        return shown


@dataclass(slots=True)
class Topic:
    """A topic of a forum; one without a name was there before anybody looked."""

    name: str | None = None
    is_closed: bool = False


@dataclass(slots=True)
class TelegramRoom:
    """A group, a supergroup (a forum, if it has topics) or a channel.

    `members_hidden` lets only administrators see who is in it. `members_may_write` is the group's own
    permission for those who are no administrators.
    """

    id: int
    type: RoomType
    title: str
    is_forum: bool = False
    username: str | None = None
    bot: Membership = field(default_factory=Membership)
    members: dict[int, tuple[TelegramUser, Membership]] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=lambda: {GENERAL: Topic("General")})
    members_hidden: bool = False
    members_may_write: bool = True
    is_deleted: bool = False

    def as_json(self) -> Json:
        """Return the chat object."""
        shown: Json = {"id": self.id, "type": self.type, "title": self.title}
        if self.is_forum:
            shown |= {"is_forum": True}
        return shown | {"username": self.username} if self.username else shown

    def admit(self, user: TelegramUser, status: Status = "member", *rights: str) -> None:
        """Let somebody be in the room, or stand differently in it."""
        self.members[user.id] = (user, Membership(status, frozenset(rights)))

    def check_access(self) -> None:
        """Raise `Refused` where the bot is not in the room."""
        if self.is_deleted:
            raise refused(403, "Forbidden: the group chat was deleted")
        if self.bot.status == "kicked":
            raise refused(403, f"Forbidden: bot was kicked from the {self.type} chat")
        if not self.bot.is_in_room:
            raise refused(403, f"Forbidden: bot is not a member of the {self.type} chat")

    def check_may_write(self, topic: int | None) -> None:
        """Raise `Refused` where the bot may not write, into this topic (None: no topic is named)."""
        self.check_access()
        is_admin = self.bot.status in ("creator", "administrator")
        if self.type == "channel":
            if not is_admin or "can_post_messages" not in self.bot.rights:
                raise refused(400, "Bad Request: need administrator rights in the channel chat")
        elif not is_admin:
            is_restricted = self.bot.status == "restricted" and "can_send_messages" not in self.bot.rights
            if is_restricted or not self.members_may_write:
                raise refused(400, "Bad Request: not enough rights to send text messages to the chat")
        if topic is not None and (not self.is_forum or topic == GENERAL or topic not in self.topics):
            raise refused(400, "Bad Request: message thread not found")
        if self.topics[topic or GENERAL].is_closed and not (
            is_admin and "can_manage_topics" in self.bot.rights
        ):
            raise refused(400, "Bad Request: TOPIC_CLOSED")

    def check_may_delete(self, *, own: bool) -> None:
        """Raise `Refused` where the bot may not delete a message: its own one, or somebody else's."""
        self.check_access()
        is_admin = self.bot.status == "administrator"
        if own or (is_admin and (self.type == "group" or "can_delete_messages" in self.bot.rights)):
            return
        raise refused(400, "Bad Request: message can't be deleted")

    def member(self, user_id: int, bot: Json) -> Json:
        """Return the ChatMember object of somebody; raises `Refused` where the bot may not know it."""
        self.check_access()
        if user_id == bot["id"]:
            return self.bot.as_json(bot, self.type)
        if self.bot.status != "administrator":
            if self.type == "channel":
                raise refused(400, "Bad Request: CHAT_ADMIN_REQUIRED")
            if self.members_hidden:
                raise refused(400, "Bad Request: member list is inaccessible")
        if user_id not in self.members:
            raise refused(400, "Bad Request: member not found")
        user, membership = self.members[user_id]
        return membership.as_json(user.as_json(), self.type)

    def hears(self, text: str, bot_name: str) -> bool:
        """Whether the bot gets what somebody writes: commands, unless they are for another bot. One that is
        an administrator gets everything (Bots, "Privacy mode").
        """
        if not self.bot.is_in_room:
            return False
        if self.bot.status == "administrator":
            return True
        command, _, addressee = text.partition(" ")[0].partition("@")
        return command.startswith("/") and addressee.lower() in ("", bot_name.lower())

    def in_topic(self, topic: int | None) -> Json:
        """Return what a message has beside the rest when it is written into a topic of a forum."""
        if topic is None or topic == GENERAL:
            return {}
        shown: Json = {"message_thread_id": topic, "is_topic_message": True}
        if (name := self.topics[topic].name) is None:
            return shown
        begun = {"name": name, "icon_color": _ICON_COLOR}
        service = {"message_id": topic, "date": int(time.time()), "chat": self.as_json()}
        return shown | {"reply_to_message": service | shown | {"forum_topic_created": begun}}


class RoomIds:
    """Ids for new rooms: small negative ones for groups, far below for the others."""

    def __init__(self) -> None:
        self._numbers = itertools.count(5_000_001)

    def next(self, room_type: RoomType) -> int:
        """Return an id that no room has yet."""
        number = next(self._numbers)
        return -number if room_type == "group" else int(f"-100{number:010}")
