"""The kinds of channel PingPilot delivers to, and what the rules need to know of each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One kind of channel.

    `unlinked_code` is the API's error code for an account that has the channel switched on but not
    linked; `None` for a channel that needs no link.
    """

    name: str
    label: str
    unlinked_code: str | None = None

    @property
    def needs_link(self) -> bool:
        """Whether a person must prove from the chat side where messages go."""
        return self.unlinked_code is not None


DISCORD = ChannelKind("discord", "Discord", "discord_id_not_set")
TELEGRAM = ChannelKind("telegram", "Telegram", "telegram_username_not_set")
EMAIL = ChannelKind("email", "E-mail")

CHANNELS = {kind.name: kind for kind in (DISCORD, TELEGRAM, EMAIL)}
"""All kinds by name, in the order they are checked and shown."""
