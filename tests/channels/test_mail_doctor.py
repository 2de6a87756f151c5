"""What the doctor says of a mail server: it asks whether mail would be taken, and sends none."""

import pytest

from pingpilot.email.doctor import check
from pingpilot.email.settings import EmailSettings
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.telemetry.findings import Finding, Level, Visit


async def finding_on(stand_in: MailStandIn) -> Finding:
    settings = EmailSettings(
        host=stand_in.host, port=stand_in.port, security="none", sender="Ping <ping@example.com>"
    )
    finding = await check(settings, Visit())
    assert stand_in.mails == []
    return finding


async def test_a_server_that_takes_mail_is_fine(mail_stand_in: MailStandIn) -> None:
    finding = await finding_on(mail_stand_in)

    assert finding.level is Level.OK
    assert set(mail_stand_in.asked_for) == {"ping@example.com", "postmaster@example.net"}


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("554 5.7.1 <box[192.0.2.7]>: Client host rejected: Access denied", "PINGPILOT_SMTP_USERNAME"),
        ("553 5.7.1 <ping@example.com>: Sender address rejected: not owned", "PINGPILOT_SMTP_FROM"),
        ("504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname", "PINGPILOT_SMTP_HELO"),
        ("530 5.7.0 Must issue a STARTTLS command first", "PINGPILOT_SMTP_SECURITY"),
    ],
)
async def test_what_a_server_has_against_us_is_found(
    mail_stand_in: MailStandIn, refusal: str, advice: str
) -> None:
    mail_stand_in.refusal = refusal

    finding = await finding_on(mail_stand_in)

    assert finding.level is Level.PROBLEM
    assert advice in (finding.advice or "")


async def test_a_server_for_its_own_domains_alone_is_a_warning(mail_stand_in: MailStandIn) -> None:
    mail_stand_in.refuse_recipient("postmaster@example.net", 554, "5.7.1 Relay access denied")

    finding = await finding_on(mail_stand_in)

    assert finding.level is Level.WARNING
    assert "PINGPILOT_SMTP_USERNAME" in (finding.advice or "")


@pytest.mark.parametrize("refusal", ["550 5.1.1 User unknown", "450 4.2.0 Greylisted"])
async def test_what_a_server_has_against_the_address_that_was_asked_for_is_no_matter(
    mail_stand_in: MailStandIn, refusal: str
) -> None:
    mail_stand_in.refusal = refusal

    finding = await finding_on(mail_stand_in)

    assert finding.level is Level.OK
