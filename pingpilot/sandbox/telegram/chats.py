"""The chats that know the bot, and the reasons why some don't take its messages."""

from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import refused
from pingpilot.sandbox.telegram.rooms import TelegramRoom


class Chats:
    """Chats by id: people's own with the bot, and rooms. A bot can't write to a chat it never met."""

    def __init__(self) -> None:
        self.rooms: dict[int, TelegramRoom] = {}
        self._known: dict[int, Json] = {}
        self._blocked: set[int] = set()
        self._deactivated: set[int] = set()
        self._migrated: dict[int, int] = {}
        self._topics: set[tuple[int, int]] = set()

    def meet(self, chat: Json) -> None:
        """Make a person's chat known."""
        self._known[chat["id"]] = chat

    def open_topic(self, chat_id: int, topic: int) -> None:
        """Let a person's chat with the bot have a topic."""
        self._topics.add((chat_id, topic))

    def block(self, chat_id: int) -> None:
        """Let a person have blocked the bot."""
        self._blocked.add(chat_id)

    def unblock(self, chat_id: int) -> None:
        """Let a person have started the bot again."""
        self._blocked.discard(chat_id)

    def deactivate(self, chat_id: int) -> None:
        """Let a person's account be gone."""
        self._deactivated.add(chat_id)

    def migrate(self, chat_id: int, new_id: int) -> None:
        """Turn a group into a supergroup, which has an id of its own."""
        self._migrated[chat_id] = new_id
        if room := self.rooms.pop(chat_id, None):
            self._known[chat_id] = room.as_json()
            room.id, room.type = new_id, "supergroup"
            self.rooms[new_id] = room
            return
        chat = self._known.get(chat_id, {"title": "Group"})
        self._known[chat_id] = chat
        self._known[new_id] = {**chat, "id": new_id, "type": "supergroup"}

    def get(self, chat_id: int) -> Json:
        """Return a known chat; raises `KeyError`."""
        return self.rooms[chat_id].as_json() if chat_id in self.rooms else self._known[chat_id]

    def room(self, chat_id: str) -> TelegramRoom | None:
        """Return the room of this id, None for a person's chat; raises `Refused` where it is neither."""
        return self.rooms.get(self.open_for_bot(chat_id)["id"])

    def open_for_bot(self, chat_id: str) -> Json:
        """Return a chat the bot asks for; raises `Refused` if it is none, or takes nothing from it."""
        number = int(chat_id) if chat_id.lstrip("-").isdigit() else 0
        if number in self._migrated:
            sentence = "Bad Request: group chat was upgraded to a supergroup chat"
            raise refused(400, sentence, parameters={"migrate_to_chat_id": self._migrated[number]})
        if number in self.rooms:
            self.rooms[number].check_access()
        elif number not in self._known:
            raise refused(400, "Bad Request: chat not found")
        if number in self._deactivated:
            raise refused(403, "Forbidden: user is deactivated")
        if number in self._blocked:
            raise refused(403, "Forbidden: bot was blocked by the user")
        return self.get(number)

    def writable_for_bot(self, chat_id: str, topic: int | None) -> Json:
        """Return the chat the bot writes to, into a topic or not; raises `Refused` where it may not."""
        chat = self.open_for_bot(chat_id)
        if room := self.rooms.get(chat["id"]):
            room.check_may_write(topic)
        elif topic is not None and (chat["id"], topic) not in self._topics:
            raise refused(400, "Bad Request: message thread not found")
        return chat
