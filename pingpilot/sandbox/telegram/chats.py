"""The chats that know the bot, and the reasons why some don't take its messages."""

from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import refused


class Chats:
    """Chats by id. A bot can't write to a chat that has never written to it."""

    def __init__(self) -> None:
        self._known: dict[int, Json] = {}
        self._blocked: set[int] = set()
        self._deactivated: set[int] = set()
        self._migrated: dict[int, int] = {}
        self._topics: set[tuple[int, int]] = set()

    def meet(self, chat: Json) -> None:
        """Make a chat known."""
        self._known[chat["id"]] = chat

    def open_topic(self, chat_id: int, topic: int) -> None:
        """Let a forum have a topic."""
        self._topics.add((chat_id, topic))

    def topic_for_bot(self, chat_id: int, topic: int) -> int | None:
        """Return the topic the bot writes to, None for 0; raises `Refused` where there is no such topic."""
        if topic and (chat_id, topic) not in self._topics:
            raise refused(400, "Bad Request: message thread not found")
        return topic or None

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
        chat = self._known.get(chat_id, {"title": "Group"})
        self._migrated[chat_id] = new_id
        self._known[chat_id] = chat
        self._known[new_id] = {**chat, "id": new_id, "type": "supergroup"}

    def get(self, chat_id: int) -> Json:
        """Return a known chat; raises `KeyError`."""
        return self._known[chat_id]

    def open_for_bot(self, chat_id: str) -> Json:
        """Return the chat the bot writes to; raises `Refused` if it takes no messages from it."""
        chat = self._known.get(int(chat_id)) if chat_id.lstrip("-").isdigit() else None
        if chat is None:
            raise refused(400, "Bad Request: chat not found")
        number = int(chat_id)
        if number in self._migrated:
            sentence = "Bad Request: group chat was upgraded to a supergroup chat"
            raise refused(400, sentence, parameters={"migrate_to_chat_id": self._migrated[number]})
        if number in self._deactivated:
            raise refused(403, "Forbidden: user is deactivated")
        if number in self._blocked:
            raise refused(403, "Forbidden: bot was blocked by the user")
        return chat
