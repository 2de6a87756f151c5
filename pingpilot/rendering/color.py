"""Colours as light, for those who have to compare them."""

_STRAIGHT_UP_TO = 0.04045
"""The dark end of sRGB's curve is a straight line (IEC 61966-2-1)."""


def linear_rgb(color: int) -> tuple[float, float, float]:
    """Return red, green and blue of the sRGB `color` (0xRRGGBB) as amounts of light from 0 to 1."""
    return _linear(color >> 16 & 0xFF), _linear(color >> 8 & 0xFF), _linear(color & 0xFF)


def _linear(channel: int) -> float:
    value = channel / 255
    return value / 12.92 if value <= _STRAIGHT_UP_TO else ((value + 0.055) / 1.055) ** 2.4
