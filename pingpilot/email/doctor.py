"""Whether the mail server takes our mail, for `pingpilot doctor`."""

from datetime import timedelta

from pingpilot.channels import EMAIL
from pingpilot.config import PREFIX
from pingpilot.email.sender import mailbox
from pingpilot.email.server import MailServer
from pingpilot.email.settings import EmailSettings
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure
from pingpilot.telemetry.findings import Finding, Level, Visit

_ELSEWHERE = "postmaster@example.net"  # RFC 2606: nobody's
_REACH = f"Check {PREFIX}SMTP_HOST and {PREFIX}SMTP_PORT, and that the network lets you out there."


async def check(settings: EmailSettings, _visit: Visit) -> Finding:
    """Connect, log in, and ask whether a mail would be taken; none is sent."""
    server = MailServer.of(settings)
    pool = SmtpPool(server, timeout=timedelta(seconds=10))
    sender = mailbox(settings.sender or "").address
    place = f"{server.host}:{server.port} ({server.security})"
    try:
        await pool.check(sender)
        if problem := await _problem(pool, sender, sender):
            return Finding(EMAIL.name, Level.PROBLEM, f"{place} takes no mail from us.", problem)
        if problem := await _problem(pool, sender, _ELSEWHERE):
            text = f"{place} takes mail for its own domains, and none for others."
            return Finding(EMAIL.name, Level.WARNING, text, problem)
    except ChannelUnavailable as exc:
        return Finding(EMAIL.name, Level.PROBLEM, f"{place} can't be used.", exc.reason)
    except DeliveryFailure as exc:
        return Finding(EMAIL.name, Level.PROBLEM, f"{exc.reason.rstrip('.')} at {place}.", _REACH)
    finally:
        await pool.close()
    return Finding(EMAIL.name, Level.OK, f"{place} lets us in, mail goes out as {settings.sender}.")


async def _problem(pool: SmtpPool, sender: str, recipient: str) -> str | None:
    """Return what the server has against us; what it has against the recipient does not matter here."""
    try:
        await pool.rehearse(sender, recipient)
    except ChannelUnavailable as exc:
        return exc.reason
    except PermanentFailure:
        return None
    except TemporaryFailure as exc:
        if not exc.recipient_alone:
            raise
    return None
