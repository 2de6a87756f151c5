"""A notification as Telegram HTML."""

import math
from html import escape

from telegram.constants import MessageLimit

from pingpilot.delivery.channel import Notification
from pingpilot.rendering.color import linear_rgb
from pingpilot.rendering.fitting import Limits, fit
from pingpilot.rendering.text import utf16_length

MOST_FIELDS = 100

_SQUARES = {
    "🟥": (0xE8342A, 0xFF8FB5),
    "🟧": (0xFF9500,),
    "🟨": (0xFFD60A, 0xFFF09A),
    "🟩": (0x34B83A, 0xA6E8A6, 0x0E9384),
    "🟦": (0x2F7CF6, 0x8FD0F5, 0x00E5FF),
    "🟪": (0x9B45C9, 0xC9A7F0),
    "🟫": (0x8B4A20, 0x76543F),
    "⬛": (0x000000, 0x606060),
    "⬜": (0xFFFFFF, 0xB0B0B0),
}
"""The colours each square stands for: as it looks in Telegram, and the pale ones named alike."""

_LIGHTNESS_WEIGHT = 0.4
"""What a difference in lightness counts beside one in hue: navy is nearer to blue than to black."""


def render_html(notification: Notification) -> str:
    """Return the notification for `parse_mode=HTML`, within 4,096 UTF-16 units once it is parsed.

    Telegram ignores the tags after the hundredth, so with a hundred fields the last name isn't bold.
    """
    square, title = square_for(notification.color), notification.title
    # `per_field` holds a line end for each field; the first has two.
    around = utf16_length(f"{square} {title}\n\n") + (1 if notification.fields else 0)
    fitted = fit(notification, _limits(MessageLimit.MAX_TEXT_LENGTH - around))
    blocks = [f"{square} <b>{_escaped(title)}</b>", _escaped(fitted.description)]
    if fitted.fields:
        blocks.append(
            "\n".join(f"<b>{_escaped(name)}</b>: {_escaped(value)}" for name, value in fitted.fields)
        )
    return "\n\n".join(blocks)


def square_for(color: int) -> str:
    """Return the coloured square that looks nearest to `color` (0xRRGGBB)."""
    wanted = _oklab(color)
    return min(_SQUARES, key=lambda square: min(_distance(wanted, _oklab(it)) for it in _SQUARES[square]))


def _distance(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    lightness, green_red, blue_yellow = (a - b for a, b in zip(one, other, strict=True))
    return math.hypot(lightness * _LIGHTNESS_WEIGHT, green_red, blue_yellow)


def _oklab(color: int) -> tuple[float, float, float]:
    """Return lightness and the two hue axes of `color`, evenly spaced to the eye.

    https://bottosson.github.io/posts/oklab/
    """
    red, green, blue = linear_rgb(color)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _escaped(text: str) -> str:
    return escape(text, quote=False)


def _limits(total: int) -> Limits:
    return Limits(
        total=total,
        description=total,
        fields=MOST_FIELDS,
        name=total,
        value=total,
        per_field=len(": \n"),
    )
