"""A notification as a Discord embed."""

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b

import discord

from models.ids import event_id_text
from pingpilot.delivery.channel import Notification
from pingpilot.rendering.fitting import Limits, fit
from pingpilot.rendering.links import chat_link, with_link_in_text
from pingpilot.rendering.text import cut_middle, one_line, utf16_length

# https://docs.discord.com/developers/resources/message#embed-object-embed-limits
TITLE_LIMIT = 256
DESCRIPTION_LIMIT = 4096
FIELDS_LIMIT = 25
NAME_LIMIT = 256
VALUE_LIMIT = 1024
TOTAL_LIMIT = 6000
HERE = "here"
"""As a destination's mention: everybody in the channel who is online."""
_ROLE = re.compile(r"[0-9]{1,20}")

_FORMATTING = (
    r"[\\*_~`|<\[]"  # emphasis, code, spoilers, mentions, timestamps, custom emoji, masked links
    r"|@(?=everyone|here|silent)"
    r"|:(?!\d\d:)(?=[\w+-]+:)"  # :emoji:, but not the time of day
    # headings, small print, quotes and lists, which Discord sees at the beginning of a line only
    r"|^(?P<lead>[^\S\n]*(?:\d+(?=\.\s)|(?=(?:\#{1,3}|-\#|[-+]|>{1,3})\s)))"
)
# A link as Discord's client finds it, less what could begin formatting should the client end it earlier.
# A backslash would break it, so nothing in it is escaped. `stuck` says that the client would take what
# follows for a part of the link, the backslash of an escape included.
_LINK = (
    r"(?P<link>(?:https?|steam)://"
    r"(?:(?:[^\W_]|\[[\da-fA-F:.]+\])(?:(?!\]\()[^\s<>|`\\])*(?<![.,:;\"')\]]))?)"
    r"(?P<stuck>(?=[.,:;\"')\]]*[<>|`\\(])|(?<=//)(?=\S))?"
)
_IN_NAMES = re.compile(_FORMATTING, re.MULTILINE)
_IN_TEXT = re.compile(f"{_LINK}|{_FORMATTING}", re.MULTILINE)
_END_OF_LINK = "\ufeff"  # white space to Discord's client, but nothing to see


def render_embed(notification: Notification) -> discord.Embed:
    """Return the notification as an embed within all of Discord's limits, its user text inert."""
    link = chat_link(notification.url) if notification.url else None
    if notification.url and link is None:
        notification = with_link_in_text(notification)
    name = cut_middle(
        one_line(notification.name),
        TITLE_LIMIT - utf16_length(notification.lead),
        measure=lambda text: utf16_length(escape_name(text)),
        joint=" ",
    )
    title = f"{notification.lead}{escape_name(name)}"
    footer = event_id_text(notification.event_id)
    limits = Limits(
        total=TOTAL_LIMIT - utf16_length(title + footer),
        description=DESCRIPTION_LIMIT,
        fields=FIELDS_LIMIT,
        name=NAME_LIMIT,
        value=VALUE_LIMIT,
        measure=lambda text: utf16_length(escape_text(text)),
        measure_name=lambda text: utf16_length(escape_name(text)),
    )
    fitted = fit(notification, limits)
    embed = discord.Embed(
        title=title,
        url=link,
        description=escape_text(fitted.description),
        colour=notification.color,
        timestamp=notification.created_at,
    )
    for name, value in fitted.fields:
        embed.add_field(name=escape_name(name), value=escape_text(value), inline=True)
    return embed.set_footer(text=footer)


def nonce_for(notification: Notification, address: str) -> str:
    """Return what lets Discord drop a repeat of the same event: 22 characters of at most 25.

    Discord compares the nonces of all that the bot sends, anywhere (discord-api-docs#6647), so that an event
    which goes to several channels needs another one for each.
    """
    key = notification.event_id.bytes + address.encode()
    return urlsafe_b64encode(blake2b(key, digest_size=16).digest()).rstrip(b"=").decode()


def mention_for(mention: str | None) -> tuple[str | None, discord.AllowedMentions]:
    """Return the content that calls whom a destination says, `here` or a role's id, and leave for just that.

    The event's own text is in the embed, where nothing calls anybody.
    """
    if mention == HERE:
        return "@here", discord.AllowedMentions(everyone=True, users=False, roles=False, replied_user=False)
    if mention is not None and _ROLE.fullmatch(mention):
        role = [discord.Object(int(mention))]
        leave = discord.AllowedMentions(everyone=False, users=False, roles=role, replied_user=False)
        return f"<@&{mention}>", leave
    return None, discord.AllowedMentions.none()


def escape_text(text: str) -> str:
    """Return `text` so that a description or a value shows it as it is, its links still links."""
    return _IN_TEXT.sub(_escaped, text)


def escape_name(text: str) -> str:
    """Return `text` so that a field's name shows it as it is; Discord makes no links in names."""
    return _IN_NAMES.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match.groupdict()
    if found.get("link"):
        return match[0] if found["stuck"] is None else match[0] + _END_OF_LINK
    if found["lead"] is not None:
        return match[0] + "\\"
    return "\\" + match[0]
