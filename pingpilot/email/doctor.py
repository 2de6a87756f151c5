"""Whether the mail server lets us in, for `pingpilot doctor`."""

from datetime import timedelta

from pingpilot.channels import EMAIL
from pingpilot.config import PREFIX
from pingpilot.email.connecting import MailServer
from pingpilot.email.settings import EmailSettings
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure
from pingpilot.telemetry.findings import Dates, Finding, Level


async def check(settings: EmailSettings, _dates: Dates) -> Finding:
    """Connect and log in; no mail is sent."""
    server = MailServer.of(settings)
    pool = SmtpPool(server, timeout=timedelta(seconds=10))
    place = f"{server.host}:{server.port} ({server.security})"
    try:
        await pool.check()
    except DeliveryFailure as exc:
        if isinstance(exc, ChannelUnavailable):
            advice = f"Check {PREFIX}SMTP_USERNAME, {PREFIX}SMTP_PASSWORD and {PREFIX}SMTP_SECURITY."
        else:
            advice = (
                f"Check {PREFIX}SMTP_HOST and {PREFIX}SMTP_PORT, and that the network lets you out there."
            )
        return Finding(EMAIL.name, Level.PROBLEM, f"{exc.reason.rstrip('.')} at {place}.", advice)
    finally:
        await pool.close()
    return Finding(EMAIL.name, Level.OK, f"{place} lets us in, mail goes out as {settings.sender}.")
