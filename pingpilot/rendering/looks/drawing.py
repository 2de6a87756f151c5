"""Drawing looks with their template, for any page that brings their stylesheet along."""

from datetime import datetime, tzinfo
from pathlib import Path

from markupsafe import Markup

from pingpilot.rendering.looks.embeds import DiscordLook
from pingpilot.rendering.looks.mails import MailLook
from pingpilot.rendering.looks.telegram_markup import TelegramLook
from pingpilot.rendering.looks.webhooks import WebhookLook
from pingpilot.rendering.templates import templates

STYLESHEET = Path(__file__).parent / "looks.css"


def draw(
    look: DiscordLook | TelegramLook | MailLook | WebhookLook, *, at: datetime, zone: tzinfo, frame: str = ""
) -> Markup:
    """Return a message as its platform shows it, which came `at` a time that is told in a zone.

    `frame` is where a mail's HTML is served, with the headers `FRAMED`.
    """
    template = templates("pingpilot.rendering", "looks").get_template("looks.html")
    drawn = template.render(look=look, at=at, zone=zone, frame=frame)
    return Markup(drawn.strip())  # noqa: S704  # the template has escaped what came in
