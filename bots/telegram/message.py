"""A notification as Telegram HTML."""

import colorsys
import re
from dataclasses import replace
from html import escape

from telegram import LinkPreviewOptions
from telegram.constants import MessageLimit

from pingpilot.delivery.channel import Notification
from pingpilot.rendering.fitting import Limits, fit
from pingpilot.rendering.links import chat_link, with_link_in_text
from pingpilot.rendering.text import clean_text, title_of, utf16_length

MOST_FIELDS = 100

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

_MENTION = re.compile(r"(?<![A-Za-z0-9_])@")
_WORD_JOINER = "\u2060"  # nobody sees it

_GREY = 40
"""The most that a colour's brightest channel may exceed its darkest, of 255, for it to be black or white."""
_MIDDLE = 0x80
_BROWN_HUES, _BROWN_UP_TO = range(12, 48), 200
"""Brown is dark orange: its hues, and how bright its brightest channel may be, of 255."""
_HUES = ((12, "🟥"), (42, "🟧"), (68, "🟨"), (177, "🟩"), (245, "🟦"), (325, "🟪"), (360, "🟥"))
"""Where each square's hues end, in degrees."""


def render_html(notification: Notification, *, in_room: bool = False) -> str:
    """Return the notification for `parse_mode=HTML`, within 4,096 UTF-16 units once it is parsed.

    For a room, no name in it calls anybody.

    Telegram ignores the tags after the hundredth, so with a hundred fields the last name isn't bold, nor
    is the one before it where the title is a link.
    """
    link = chat_link(notification.url) if notification.url else None
    if notification.url and link is None:
        notification = with_link_in_text(notification)
    if in_room:
        notification = _calling_nobody(notification)
    square, title = square_for(notification.color), title_of(notification)
    # `per_field` holds a line end for each field; the first has two.
    around = utf16_length(f"{square} {title}\n\n") + (1 if notification.fields else 0)
    room = MessageLimit.MAX_TEXT_LENGTH - around
    limits = Limits(
        total=room, description=room, fields=MOST_FIELDS, name=room, value=room, per_field=len(": \n")
    )
    fitted = fit(notification, limits)
    shown_title = f"<b>{_escaped(title)}</b>"
    if link:
        shown_title = f'<a href="{escape(link)}">{shown_title}</a>'
    blocks = [f"{square} {shown_title}", _escaped(fitted.description)]
    if fitted.fields:
        blocks.append(
            "\n".join(f"<b>{_escaped(name)}</b>: {_escaped(value)}" for name, value in fitted.fields)
        )
    return "\n\n".join(blocks)


def square_for(color: int) -> str:
    """Return the coloured square that looks most like `color` (0xRRGGBB)."""
    red, green, blue = color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF
    darkest, _, brightest = sorted((red, green, blue))
    if brightest - darkest < _GREY:
        return "⬜" if (brightest + darkest) / 2 > _MIDDLE else "⬛"
    hue = int(colorsys.rgb_to_hsv(red, green, blue)[0] * 360)
    if hue in _BROWN_HUES and brightest < _BROWN_UP_TO:
        return "🟫"
    return next(square for end, square in _HUES if hue < end)


def _calling_nobody(notification: Notification) -> Notification:
    """Return the notification with names such as `@grace` written so that Telegram takes none for a mention.

    What an e-mail address looks like stays as it is. Telegram drops some characters, so what follows an `@`
    here may not be what follows it there.
    """

    def quiet(text: str) -> str:
        return _MENTION.sub(f"@{_WORD_JOINER}", clean_text(text))

    return replace(
        notification,
        category=quiet(notification.category),
        headline=quiet(notification.headline) if notification.headline else None,
        description=quiet(notification.description),
        fields=tuple(
            (quiet(name), quiet(value) if isinstance(value, str) else value)
            for name, value in notification.fields
        ),
    )


def _escaped(text: str) -> str:
    return escape(text, quote=False)
