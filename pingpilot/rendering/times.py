"""Times as people read them."""

from datetime import timedelta


def ago(time: timedelta) -> str:
    """Return how long ago something was, in its largest unit."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
