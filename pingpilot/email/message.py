"""A notification as a complete e-mail: headers, plain text and HTML."""

from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from models.ids import event_id_text
from pingpilot.accounts.email_address import split_address
from pingpilot.delivery.channel import Notification
from pingpilot.email.markup import pieces
from pingpilot.email.sender import Mailbox
from pingpilot.rendering.color import linear_rgb
from pingpilot.rendering.text import cut_end, readable, readable_fields, title_of

SUBJECT_LENGTH = 120

_TEMPLATES = Environment(
    loader=PackageLoader("pingpilot.email"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class MailPolicy(EmailPolicy):
    """Mends how the standard policy folds headers.

    It turns a long URL into an encoded word, which no mail program follows, and adds spaces to a
    subject where it breaks its line.
    """

    _verbatim = frozenset({"message-id", "list-unsubscribe", "list-unsubscribe-post"})

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the header's bytes; raises `ValueError` for one of the verbatim ones that isn't ASCII."""
        if name.lower() in self._verbatim:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        if name.lower() == "subject":
            charset = "us-ascii" if value.isascii() else "utf-8"
            folded = Header(str(value), charset, header_name=name).encode(linesep=self.linesep)
            return f"{name}: {folded}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = MailPolicy(linesep="\r\n", cte_type="7bit")
_UTF8_POLICY = _POLICY.clone(utf8=True)  # RFC 6532


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
    """
    local, domain = split_address(recipient)
    is_ascii = sender.local.isascii() and local.isascii()
    message = EmailMessage(policy=_POLICY if is_ascii else _UTF8_POLICY)
    message["From"] = sender.header
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = subject_for(notification)
    message["Date"] = notification.created_at
    message["Message-ID"] = f"<{notification.event_id.hex}.{notification.delivery_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    if unsubscribe_url:
        message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    message.set_content(_rendered("notification.txt", notification, unsubscribe_url))
    message.add_alternative(_rendered("notification.html", notification, unsubscribe_url), subtype="html")
    message.set_boundary(f"=_{notification.event_id.hex}")
    return message.as_bytes()


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


def _rendered(template: str, notification: Notification, unsubscribe_url: str | None) -> str:
    return _TEMPLATES.get_template(template).render(
        title=title_of(notification),
        url=notification.url,
        color=f"#{notification.color:06x}",
        text_color=text_color_on(notification.color),
        description=readable(notification.description),
        fields=readable_fields(notification),
        pieces=pieces,
        created=_local_time(notification),
        event_id=event_id_text(notification.event_id),
        unsubscribe_url=unsubscribe_url,
    )
