"""E-mail as a part of the daemon: one object both sends and watches the mail server."""

from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.email.channel import EmailChannel
from pingpilot.email.sender import mailbox
from pingpilot.email.server import MailServer
from pingpilot.email.settings import EmailSettings
from pingpilot.email.smtp import SmtpPool


def build(settings: EmailSettings, around: Surroundings) -> ChannelParts:
    """Return the channel, by settings that name a mail server."""
    channel = EmailChannel(
        SmtpPool(MailServer.of(settings), share=around.share, monotonic=around.clock.monotonic),
        sender=mailbox(settings.sender or ""),
        unsubscribe_url=around.unsubscriber.url_for if around.unsubscriber else None,
        health=around.health,
    )
    return ChannelParts(channel, channel, channel.close)
