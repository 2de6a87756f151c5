"""Messages of PingPilot itself to where no delivery goes: a chat that was unlinked, a new mailbox."""

from datetime import datetime

from models.ids import uuid7
from pingpilot.delivery.channel import Notification
from pingpilot.events import notices


def own_words(text: str, now: datetime, time_zone: str = "UTC") -> Notification:
    """Return a notice that no event and no delivery stands for."""
    return Notification(
        uuid7(), 0, notices.SENDER, notices.EMOJI, notices.COLOR, text, (), now, time_zone=time_zone
    )
