"""A mail as it is drawn: its head, and its HTML in a frame of its own."""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import ClassVar

FRAMED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""The headers of a mail's own address: styles of its own, as mails have them, and neither scripts nor
anything from another host, opened in a frame or not.
"""


@dataclass(frozen=True, slots=True)
class MailLook:
    """A mail: what a mail program lists, its HTML and its plain text."""

    platform: ClassVar[str] = "email"

    subject: str
    sender: str
    recipient: str
    at: datetime | None
    html: str
    text: str


def mail_look(mail: EmailMessage) -> MailLook:
    """Return how a mail looks."""
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    date = mail["Date"]
    return MailLook(
        subject=str(mail["Subject"] or ""),
        sender=str(mail["From"] or ""),
        recipient=str(mail["To"] or ""),
        at=parsedate_to_datetime(str(date)) if date else None,
        html=html.get_content() if html is not None else "",
        text=text.get_content().replace("\r\n", "\n").strip() if text is not None else "",
    )


def framed(html: str) -> str:
    """Return a mail's HTML so that its links open beside it: in the frame, nothing would come."""
    return html.replace("<head>", '<head><base target="_blank">', 1)
