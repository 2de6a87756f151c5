"""A notification as a complete e-mail: headers, plain text and HTML."""

import re
from binascii import b2a_base64, b2a_qp
from datetime import UTC
from email.headerregistry import Address
from email.policy import EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from models.ids import event_id_text
from pingpilot.accounts.email_address import split_address
from pingpilot.delivery.channel import Notification
from pingpilot.email.markup import linked, pieces
from pingpilot.email.sender import Mailbox
from pingpilot.rendering.color import linear_rgb
from pingpilot.rendering.templates import templates
from pingpilot.rendering.text import cut_end, readable, readable_fields, title_of

SUBJECT_LENGTH = 120
_URL = re.compile(r"[!-;=?-~]+")  # ASCII without spaces and angle brackets

_POLICY = EmailPolicy(linesep="\r\n", cte_type="7bit")
_UTF8_POLICY = _POLICY.clone(utf8=True)  # RFC 6532
_LONGEST_LINE = 76  # characters of a line of a body (RFC 2045, section 6.7)
_LONGEST_WORD = 45  # bytes that make an encoded word of 75 characters (RFC 2047, section 2)


def build_message(
    notification: Notification,
    *,
    sender: Mailbox,
    recipient: str,
    unsubscribe_url: str | None,
) -> bytes:
    """Return the notification as the bytes of an RFC 5322 message, equal for each attempt to send it.

    Its headers are ASCII unless an address is not, which only servers with SMTPUTF8 take. Raises
    `ValueError` where the recipient's address or the URL can't stand in a header.

    It is put together here, in a tenth of the time that `EmailMessage` takes: that parses each header that it
    is given, turns a long URL into an encoded word, which no mail program follows, and adds spaces to a
    subject where it breaks its line.
    """
    local, domain = _halves_of(recipient)
    is_ascii = sender.local.isascii() and local.isascii()
    boundary = f"=_{notification.event_id.hex}"
    headers = [
        _address_line("From", sender.name, sender.local, sender.domain, is_ascii=is_ascii),
        _address_line("To", "", local, domain, is_ascii=is_ascii),
        _subject_line(subject_for(notification)),
        f"Date: {format_datetime(notification.created_at.astimezone(UTC))}",
        f"Message-ID: <{notification.event_id.hex}.{notification.delivery_id}@{sender.domain}>",
        "Auto-Submitted: auto-generated",  # RFC 3834: no out-of-office replies
    ]
    if unsubscribe_url:
        if not _URL.fullmatch(unsubscribe_url):
            raise ValueError("the link to unsubscribe is no address")
        headers += [
            f"List-Unsubscribe: <{unsubscribe_url}>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",  # RFC 8058
        ]
    headers += [
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        "",
    ]
    shown = {
        "title": title_of(notification),
        "url": notification.url,
        "color": f"#{notification.color:06x}",
        "text_color": text_color_on(notification.color),
        "description": readable(notification.description),
        "fields": readable_fields(notification),
        "pieces": pieces,
        "linked": linked,
        "created": _local_time(notification),
        "event_id": event_id_text(notification.event_id),
        "unsubscribe_url": unsubscribe_url,
    }
    ours = templates("pingpilot.email", "templates")
    parts = [
        _part("text/plain", ours.get_template("notification.txt").render(shown)),
        _part("text/html", ours.get_template("notification.html").render(shown)),
    ]
    between = f"--{boundary}".encode()
    body = b"".join(between + b"\r\n" + part + b"\r\n" for part in parts)
    return "\r\n".join(headers).encode() + body + between + b"--\r\n"


# Both are slow, and there are few senders, and recipients that get many mails
_halves_of = lru_cache(maxsize=4096)(split_address)


@lru_cache(maxsize=4096)
def _address_line(header: str, name: str, local: str, domain: str, *, is_ascii: bool) -> str:
    """Return a header with one mailbox; the library knows what is quoted, encoded and folded."""
    policy = _POLICY if is_ascii else _UTF8_POLICY
    _, value = policy.header_store_parse(header, Address(name, username=local, domain=domain))
    return policy.fold_binary(header, value).decode().removesuffix("\r\n")


def _subject_line(subject: str) -> str:
    """Return the subject's header: as it is, or in encoded words of whole characters (RFC 2047).

    ASCII is not folded: a line may have 998 characters (RFC 5322, section 2.1.1), and readers disagree on
    the space at a fold.
    """
    if subject.isascii():
        return f"Subject: {subject}"
    words, word = [], b""
    for character in subject:
        encoded = character.encode()
        if len(word) + len(encoded) > _LONGEST_WORD:
            words.append(word)
            word = b""
        word += encoded
    words.append(word)
    lines = (f"=?utf-8?b?{b2a_base64(each, newline=False).decode()}?=" for each in words)
    return "Subject: " + "\r\n ".join(lines)


def _part(kind: str, text: str) -> bytes:
    """Return a part of a body, in ASCII and short lines: as it is, or in the shorter of both encodings."""
    data = b"\n".join([*text.encode().splitlines(), b""])
    encoding = "7bit"
    if not data.isascii() or max(map(len, data.split(b"\n"))) > _LONGEST_LINE:
        encoding, plain = "quoted-printable", data
        data = b2a_qp(plain, istext=True)
        if len(data) > len(plain) * 1.37:  # of base64, with its line breaks
            encoding = "base64"
            data = b"".join(b2a_base64(plain[at : at + 57]) for at in range(0, len(plain), 57))
    head = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + data.replace(b"\n", b"\r\n")


def subject_for(notification: Notification) -> str:
    """Return title and first line of the description, on one line of at most 120 characters."""
    first_line = readable(notification.description).split("\n", 1)[0]
    subject = " ".join(f"{title_of(notification)}: {first_line}".split())
    # The email package takes `=?` in a text for the start of an encoded word and would decode it.
    return cut_end(subject.replace("=?", "= ?"), SUBJECT_LENGTH)


def text_color_on(color: int) -> str:
    """Return black or white as `#rrggbb`, whichever is easier to read on `color` (0xRRGGBB).

    By the contrast ratio of https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio; it is never below 4.5.
    """
    red, green, blue = linear_rgb(color)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def _local_time(notification: Notification) -> str:
    """Return when it happened in the account's time zone, with the zone's name."""
    local = notification.created_at.astimezone(ZoneInfo(notification.time_zone))
    zone = f"{local:%Z}"
    if zone[:1] in "+-":  # many zones have no name, but their distance from UTC
        zone = f"UTC{zone[:3]}:{zone[3:]}" if zone[3:] else f"UTC{zone}"
    return f"{local:%Y-%m-%d %H:%M:%S} {zone}"
