"""What a server's channels are, and what one may do in them: Discord's "Channel Types" and "Permissions"."""

from enum import IntEnum, IntFlag
from typing import Final


class Permission(IntFlag):
    """The permissions that matter to a bot that sends messages."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    CONNECT = 1 << 20
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL_PERMISSIONS: Final = Permission((1 << 53) - 1)
NOTHING: Final = Permission(0)
EVERYBODY: Final = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.READ_MESSAGE_HISTORY
    | Permission.CONNECT
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
)
"""What the role @everyone has in a new server, less what does not matter here."""


class ChannelKind(IntEnum):
    """Discord's channel types that a server has."""

    TEXT = 0
    VOICE = 2
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15
    MEDIA = 16


THREADS = (ChannelKind.ANNOUNCEMENT_THREAD, ChannelKind.PUBLIC_THREAD, ChannelKind.PRIVATE_THREAD)
WITHOUT_MESSAGES = (ChannelKind.CATEGORY, ChannelKind.FORUM, ChannelKind.MEDIA)
"""Kinds that hold no messages of their own. Stages have a chat since 2023, as voice channels do."""
