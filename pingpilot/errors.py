"""The error tree: every failure PingPilot raises on purpose derives from `PingPilotError`.

Failures of a send are sorted at the channel's edge, since what the engine does next depends on the
class alone: retry it, fail it, wait, or pause the whole channel.
"""

import re
from datetime import datetime, timedelta

LONGEST_REASON = 1000
"""Characters of a failed delivery's reason."""
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class PingPilotError(Exception):
    """Base of all errors raised on purpose; its text is a sentence for the person who reads it."""


class SettingsError(PingPilotError):
    """A setting is missing or wrong; the text names its variable."""


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

    Raised in `models` alone, for whatever a database or its driver raises.
    """


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

    `retry_after` is the wait the platform asked for, where it named one.
    """

    def __init__(self, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RateLimited(DeliveryFailure):
    """The platform asks for a pause; nothing was sent, and it does not count as an attempt.

    `whole_channel` tells whether the pause is for the bot as a whole or for this recipient alone.
    """

    def __init__(self, reason: str, *, retry_after: timedelta, whole_channel: bool) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.whole_channel = whole_channel


class PermanentFailure(DeliveryFailure):
    """The platform will never take this message.

    `recipient_gone` tells that it will take no other for this recipient either: the account's
    channel is suspended until it is linked or switched on again.
    """

    def __init__(self, reason: str, *, recipient_gone: bool = False) -> None:
        super().__init__(reason)
        self.recipient_gone = recipient_gone


class ChannelUnavailable(DeliveryFailure):
    """The channel itself can't send (bad credentials, not connected); no delivery is at fault.

    The channel pauses, the delivery goes back untried and uncounted.
    """
