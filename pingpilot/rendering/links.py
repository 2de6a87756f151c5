"""Links on titles: what chat platforms take for one, and what becomes of the others."""

from dataclasses import replace
from urllib.parse import quote, urlsplit, urlunsplit

from pingpilot.delivery.channel import Notification

LONGEST_LINK = 2048
"""Discord's limit for an embed's URL; Telegram's is not lower."""
_KEPT = "!#$%&'()*+,/:;=?@[]~"  # besides letters, digits and `-._`; the rest is percent-encoded


def chat_link(url: str) -> str | None:
    """Return `url` as Discord and Telegram take it for a link, in ASCII; None where they refuse it.

    Both want a host with a dot in it: Discord refuses the whole message for `http://nas/`, Telegram
    leaves the link out.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if ":" not in host:
            host = host.encode("idna").decode()
    except ValueError:  # no host or port that could be; `UnicodeError` is one
        return None
    if ("." not in host.strip(".") and ":" not in host) or "@" in parts.netloc:
        return None
    shown_host = f"[{host}]" if ":" in host else host
    place = shown_host if port is None else f"{shown_host}:{port}"
    rest = (quote(part, safe=_KEPT) for part in parts[2:])
    link = urlunsplit((parts.scheme, place, *rest))
    return link if len(link) <= LONGEST_LINK else None


def with_link_in_text(notification: Notification) -> Notification:
    """Return the notification with its URL above the description instead of on the title."""
    return replace(notification, url=None, description=f"{notification.url}\n\n{notification.description}")
