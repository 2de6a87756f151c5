"""The error tree: every failure PingPilot raises on purpose derives from `PingPilotError`.

Failures of a send are sorted at the channel's edge, since what the engine does next depends on the
class alone: retry it, fail it, wait, or pause the whole channel.
"""

import re
from datetime import datetime, timedelta

LONGEST_REASON = 1000
"""Characters of a failed delivery's reason."""
LONGEST_PAUSE = timedelta(days=1)
"""How far a pause that a platform names is believed: an answer may be spoilt, or no platform's at all."""
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class PingPilotError(Exception):
    """Base of all errors raised on purpose; its text is a sentence for the person who reads it."""


class SettingsError(PingPilotError):
    """Settings are missing or wrong: one sentence each, which names the variable. The text is their lines."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class InvalidInput(PingPilotError):
    """What somebody typed can't be taken; the text says what to do instead."""


class NotFound(PingPilotError):
    """The thing named does not exist; the text says what was looked for."""


class AlreadyExists(PingPilotError):
    """A thing of this name exists already."""


class TooMany(PingPilotError):
    """There are as many of these as there may be; `until` is when that ends by itself, where it does."""

    def __init__(self, sentence: str, *, until: datetime | None = None) -> None:
        super().__init__(sentence)
        self.until = until


class LinkRefused(PingPilotError):
    """A link code or key was not accepted; the text tells the chat user why."""


class Misconfigured(PingPilotError):
    """A platform refuses what it was set up with; trying faster does not help, a person must act."""


class DatabaseUnavailable(PingPilotError):
    """The database is away, full or can't do what it was asked; the text is the cause's type and words.

    Raised in `models` for whatever a database or its driver raises, and for work on it that gets stuck.
    """


class Undone(DatabaseUnavailable):
    """The database undid it, since two would have waited for each other for ever: try it again at once."""


class CommitInDoubt(DatabaseUnavailable):
    """A commit was begun and its end never seen: what it holds may be stored, or not."""


class NewerSchema(PingPilotError):
    """A later version has migrated the database, which this one would misread."""


class DeliveryFailure(PingPilotError):
    """Base of what `Channel.send` raises when a message was not taken.

    The reason is often a platform's words, which may be of any length and hold anything: it is stored, shown
    and sent on, so it is cut, and has no control characters, of which PostgreSQL can't store one.
    """

    def __init__(self, reason: str) -> None:
        plain = _UNSTORABLE.sub("", reason)
        super().__init__(plain if len(plain) <= LONGEST_REASON else f"{plain[:LONGEST_REASON]}…")

    @property
    def reason(self) -> str:
        return str(self)


class TemporaryFailure(DeliveryFailure):
    """The platform may take the same message later; the delivery is retried.

    `retry_after` is the wait the platform asked for, where it named one. `recipient_alone` tells that the
    platform is there and puts off this one recipient (greylisting, a full mailbox): it is no outage.
    """

    def __init__(
        self, reason: str, *, retry_after: timedelta | None = None, recipient_alone: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = min(retry_after, LONGEST_PAUSE) if retry_after else retry_after
        self.recipient_alone = recipient_alone


class RateLimited(DeliveryFailure):
    """The platform asks for a pause; nothing was sent, and it does not count as an attempt.

    `whole_channel` tells whether the pause is for the bot as a whole or for this recipient alone.
    """

    def __init__(self, reason: str, *, retry_after: timedelta, whole_channel: bool) -> None:
        super().__init__(reason)
        self.retry_after = min(retry_after, LONGEST_PAUSE)
        self.whole_channel = whole_channel


class PermanentFailure(DeliveryFailure):
    """The platform will never take this message.

    `recipient_gone` tells that it will take no other for this recipient either: the destination is
    suspended until it is linked or switched on again. `recipient_refused` tells that it is about the
    recipient, not about the message, and that nobody knows for how long.
    """

    def __init__(self, reason: str, *, recipient_gone: bool = False, recipient_refused: bool = False) -> None:
        super().__init__(reason)
        self.recipient_gone = recipient_gone
        self.recipient_refused = recipient_refused


class RecipientMoved(DeliveryFailure):
    """The recipient has another address now: nothing was sent, and the delivery goes there.

    A `topic` of None is the room itself.
    """

    def __init__(self, reason: str, *, address: str, topic: str | None) -> None:
        super().__init__(reason)
        self.address = address
        self.topic = topic


class NotLeading(DeliveryFailure):
    """Another daemon may be sending by the same token by now: nothing was sent.

    The delivery goes back untried and uncounted; whoever leads sends it.
    """

    def __init__(self) -> None:
        super().__init__("This daemon does not lead the bot any longer.")


class ChannelUnavailable(DeliveryFailure):
    """The channel itself can't send (bad credentials, not connected); no delivery is at fault.

    The channel pauses, the delivery goes back untried and uncounted.
    """
