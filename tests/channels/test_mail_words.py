"""What mail servers truly say: the replies were seen from them, word for word.

Exim 4.96, OpenSMTPD 6.8.0p2, Postfix 3.7 alone and with postgrey 1.37, Dovecot 2.3.19 in front of Postfix.
`test_postfix.py` runs the one of them that is easily had.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure
from pingpilot.sandbox.faults import Fault, SmtpStage
from pingpilot.sandbox.smtp import MailStandIn

ADA, BOB = "ada@example.org", "bob@example.org"

SENDER_UNVERIFIED = (
    "550-Verification failed for <ping@example.com>\r\n550-Unrouteable address\r\n550 Sender verify failed"
)
LOCALLY_BLACKLISTED = "is locally blacklisted here. If you think this is wrong, get in touch with postmaster"
GREYLISTED = (
    f"450 4.2.0 <{ADA}>: Recipient address rejected: Greylisted, "
    "see http://postgrey.schweikert.ch/help/example.org.html"
)
INVALID = f"550 Invalid recipient: <{ADA}>"


@pytest.fixture
async def pool(mail_stand_in: MailStandIn) -> AsyncIterator[SmtpPool]:
    server = MailServer(host=mail_stand_in.host, port=mail_stand_in.port, security="none")
    pool = SmtpPool(server, timeout=timedelta(seconds=20))
    yield pool
    await pool.close()


async def send(pool: SmtpPool, recipient: str = ADA) -> None:
    await pool.send("ping@example.com", recipient, b"Subject: x\r\n\r\nx\r\n")


async def failure_of(pool: SmtpPool, recipient: str = ADA) -> DeliveryFailure:
    with pytest.raises(DeliveryFailure) as failure:
        await send(pool, recipient)
    return failure.value


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        # Exim
        ("550 relay not permitted", "SMTP_USERNAME"),
        ("550 Mailing to remote domains not supported", "SMTP_USERNAME"),
        ("550 authentication required", "SMTP_USERNAME"),
        ("550 Administrative prohibition", "SMTP_USERNAME"),
        (SENDER_UNVERIFIED, "SMTP_FROM"),
        (f"550 sender envelope address ping@example.com {LOCALLY_BLACKLISTED}", "SMTP_FROM"),
        (f"550 sender IP address 192.0.2.7 {LOCALLY_BLACKLISTED}", "SMTP_USERNAME"),
        ("550 192.0.2.7 is listed at zen.spamhaus.org", "SMTP_USERNAME"),
        ("550 [SPF] 192.0.2.7 is not allowed to send mail from example.com.", "SMTP_FROM"),
        # OpenSMTPD
        (INVALID, "SMTP_USERNAME"),
        ("530 5.5.1 Invalid command: Must issue a STARTTLS command first", "SMTP_SECURITY"),
        # Postfix
        (f"454 4.7.1 <{ADA}>: Relay access denied", "SMTP_USERNAME"),
        (f"554 5.7.1 <{ADA}>: Relay access denied", "SMTP_USERNAME"),
        (f"554 5.7.1 <{ADA}>: Recipient address rejected: Access denied", "SMTP_USERNAME"),
        ("554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access denied", "SMTP_USERNAME"),
        ("553 5.7.1 <ping@example.com>: Sender address rejected: not owned by user ada", "SMTP_FROM"),
        ("553 5.7.1 <ping@example.com>: Sender address rejected: not logged in", "SMTP_USERNAME"),
        ("450 4.1.8 <ping@example.com>: Sender address rejected: Domain not found", "SMTP_FROM"),
        ("450 4.7.1 <box.nowhere.example>: Helo command rejected: Host not found", "SMTP_HELO"),
        # Dovecot
        ("530 5.7.0 Authentication required.", "SMTP_USERNAME"),
        (f"554 5.7.1 <{ADA}> <{ADA}>: Recipient address rejected: Access denied", "SMTP_USERNAME"),
        (f"450 4.1.8 <{ADA}> <ping@example.com>: Sender address rejected: Domain not found", "SMTP_FROM"),
    ],
)
async def test_what_is_said_of_us_pauses_the_channel_with_what_to_set(
    mail_stand_in: MailStandIn, pool: SmtpPool, reply: str, advice: str
) -> None:
    mail_stand_in.refusal = reply

    failure = await failure_of(pool)

    assert isinstance(failure, ChannelUnavailable)
    assert f"PINGPILOT_{advice}" in failure.reason


@pytest.mark.parametrize(
    "reply",
    [
        GREYLISTED,
        "451 greylisted, try again later",  # Exim
        "451 Temporary local problem - please try later",
        "451 Temporary DNS error while checking SPF record.  Try again later.",
        f"450 4.1.2 <{ADA}>: Recipient address rejected: Domain not found",  # Postfix
        # Greylisting in words that speak of us
        f"450 4.7.1 <{ADA}>: Client host rejected: Greylisted for 60 seconds",
        "451 4.7.1 Sender address deferred, please retry in 5 minutes",
    ],
)
async def test_what_puts_one_recipient_off_is_theirs(
    mail_stand_in: MailStandIn, pool: SmtpPool, reply: str
) -> None:
    mail_stand_in.refusal = reply

    failure = await failure_of(pool)

    assert isinstance(failure, TemporaryFailure)
    assert failure.recipient_alone


@pytest.mark.parametrize("reply", ["550 Unrouteable address", "550 Unknown user"])
async def test_exims_unknown_mailboxes_are_gone(
    mail_stand_in: MailStandIn, pool: SmtpPool, reply: str
) -> None:
    mail_stand_in.refusal = reply

    failure = await failure_of(pool)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


async def test_a_server_that_takes_no_mail_for_other_domains_suspends_nobody_for_it(
    mail_stand_in: MailStandIn, pool: SmtpPool
) -> None:
    """OpenSMTPD has the same words for a mailbox that it doesn't know."""
    mail_stand_in.refused_recipients[ADA] = INVALID
    await send(pool, BOB)

    failure = await failure_of(pool)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_refused
    assert not failure.recipient_gone


async def test_a_server_that_forgot_everybody_suspends_nobody(
    mail_stand_in: MailStandIn, pool: SmtpPool
) -> None:
    await send(pool, BOB)
    mail_stand_in.refusal = "550 5.1.1 User unknown in local recipient table"

    failure = await failure_of(pool)

    assert isinstance(failure, ChannelUnavailable)
    assert "It refuses others as well" in failure.reason


async def test_somebody_who_is_gone_is_no_measure_for_others(
    mail_stand_in: MailStandIn, pool: SmtpPool
) -> None:
    await send(pool, BOB)
    mail_stand_in.refuse_recipient(BOB)
    bob = await failure_of(pool, BOB)
    mail_stand_in.refuse_recipient(ADA)

    ada = await failure_of(pool)

    assert isinstance(bob, PermanentFailure)
    assert isinstance(ada, PermanentFailure)
    assert ada.recipient_gone


async def test_words_that_nobody_knows_are_measured_by_the_sender_where_nobody_was_served(
    mail_stand_in: MailStandIn, pool: SmtpPool
) -> None:
    mail_stand_in.refused_recipients[ADA] = "550 restricted characters in address"
    of_one = await failure_of(pool)
    mail_stand_in.refusal = "550 Nicht heute"
    of_all = await failure_of(pool)

    assert isinstance(of_one, PermanentFailure)
    assert of_one.recipient_refused
    assert isinstance(of_all, ChannelUnavailable)


@pytest.mark.parametrize(
    ("stage", "reply", "advice"),
    [
        # Postfix that doesn't wait for RCPT
        ("mail", "450 4.1.8 <ping@example.com>: Sender address rejected: Domain not found", "SMTP_FROM"),
        ("connect", "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected: Access denied", "SMTP_USERNAME"),
        ("connect", "550 Administrative prohibition", "SMTP_USERNAME"),  # Exim
        (
            "message",
            "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.",
            "SMTP_FROM",
        ),
    ],
)
async def test_what_is_said_of_us_elsewhere_pauses_the_channel_too(
    mail_stand_in: MailStandIn, pool: SmtpPool, stage: SmtpStage, reply: str, advice: str
) -> None:
    code, text = reply.split(" ", 1)
    mail_stand_in.faults.add(Fault.reply(stage, int(code), text))

    failure = await failure_of(pool)

    assert isinstance(failure, ChannelUnavailable)
    assert f"PINGPILOT_{advice}" in failure.reason


async def test_no_connection_carries_more_mails_than_servers_take(
    mail_stand_in: MailStandIn, pool: SmtpPool
) -> None:
    """OpenSMTPD answers the 101st with `452 4.5.3 Too many recipients: Too many messages sent`."""
    for _ in range(101):
        await send(pool)

    assert len(mail_stand_in.mails) == 101
    assert mail_stand_in.connections == 3
    assert len(mail_stand_in.sessions) == 1


@pytest.mark.parametrize(
    "reply",
    [
        "454 4.7.0 Temporary authentication failure: Connection lost to authentication server",  # Postfix
        "435 Unable to authenticate at present",  # Exim
    ],
)
async def test_a_login_that_cannot_be_judged_now_is_no_refused_one(
    mail_stand_in: MailStandIn, reply: str
) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"
    code, text = reply.split(" ", 1)
    mail_stand_in.faults.add(Fault.reply("auth", int(code), text))
    password = SecretStr("secret")
    server = MailServer(
        host=mail_stand_in.host, port=mail_stand_in.port, security="none", username="ping", password=password
    )
    pool = SmtpPool(server, timeout=timedelta(seconds=20))

    failure = await failure_of(pool)
    await send(pool)
    await pool.close()

    assert isinstance(failure, TemporaryFailure)
    assert len(mail_stand_in.mails) == 1
