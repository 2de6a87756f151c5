"""The mail stand-in, driven by aiosmtplib."""

import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn, Security


def client(server: MailStandIn, *, timeout: float = 5, tls: ssl.SSLContext | None = None) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname="localhost",
        timeout=timeout,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=tls,
    )


def mail(to: str = "ada@example.org") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ping@example.org", to, "Größe: new sale"
    message.set_content("42 €\n.a line that begins with a dot\n")
    return message


@pytest.fixture
async def smtp(mail_stand_in: MailStandIn) -> AsyncIterator[aiosmtplib.SMTP]:
    async with client(mail_stand_in) as connected:
        yield connected


async def test_a_mail_is_taken_with_envelope_and_content(
    mail_stand_in: MailStandIn, smtp: aiosmtplib.SMTP
) -> None:
    seen: list[str] = []
    mail_stand_in.on_message.append(lambda taken: seen.append(taken.message["Subject"]))

    await smtp.send_message(mail())

    [taken] = await mail_stand_in.wait_for_messages(1)
    assert (taken.sender, taken.recipients) == ("ping@example.org", ["ada@example.org"])
    assert taken.message.get_content() == "42 €\n.a line that begins with a dot\n"
    assert seen == ["Größe: new sale"]
    assert b"Subject: =?utf-8?" in taken.raw


async def test_a_kept_open_connection_counts_once(mail_stand_in: MailStandIn, smtp: aiosmtplib.SMTP) -> None:
    for _ in range(3):
        await smtp.send_message(mail())

    assert len(mail_stand_in.mails) == 3
    assert mail_stand_in.connections == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_comes_encrypted_from_those_who_log_in(
    security: Security, serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with (
        MailStandIn(security=security, ssl_context=serving, username="ping", password="secret") as server,
        client(server, tls=trusting) as smtp,
    ):
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refusal:
            await smtp.send_message(mail())
        await smtp.login("ping", "secret")
        await smtp.send_message(mail())

    assert refusal.value.code == 530
    assert len(server.mails) == 1


async def test_starttls_is_not_optional(serving: ssl.SSLContext) -> None:
    async with MailStandIn(security="starttls", ssl_context=serving) as server:
        smtp = aiosmtplib.SMTP(hostname=server.host, port=server.port, start_tls=False, timeout=5)
        async with smtp:
            with pytest.raises(aiosmtplib.SMTPSenderRefused) as refusal:
                await smtp.send_message(mail())

    assert refusal.value.code == 530


async def test_a_certificate_of_nobody_known_is_refused_by_the_client(serving: ssl.SSLContext) -> None:
    async with MailStandIn(security="starttls", ssl_context=serving) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await client(server).connect()


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
async def test_wrong_credentials_are_refused(mechanism: str) -> None:
    async with MailStandIn(username="ping", password="secret") as server, client(server) as smtp:
        await smtp.ehlo()
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refusal:
            await getattr(smtp, mechanism)("ping", "wrong")
        accepted = await getattr(smtp, mechanism)("ping", "secret")

    assert refusal.value.code == 535
    assert accepted.code == 235


async def test_login_is_not_offered_without_credentials(smtp: aiosmtplib.SMTP) -> None:
    await smtp.ehlo()

    assert not smtp.supports_extension("auth")


async def test_a_refused_recipient_gets_550(mail_stand_in: MailStandIn, smtp: aiosmtplib.SMTP) -> None:
    mail_stand_in.refuse_recipient("Gone@example.org")

    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await smtp.send_message(mail("gone@example.org"))

    assert refusal.value.recipients[0].code == 550
    assert refusal.value.recipients[0].message.startswith("5.1.1")


async def test_a_mail_beyond_the_size_limit_gets_552(mail_stand_in: MailStandIn) -> None:
    mail_stand_in.size_limit = 100

    async with client(mail_stand_in) as smtp:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
            await smtp.send_message(mail())

    assert refusal.value.code == 552


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "message"])
async def test_a_temporary_reply_at_any_stage_strikes_once(
    mail_stand_in: MailStandIn, smtp: aiosmtplib.SMTP, stage: str
) -> None:
    mail_stand_in.faults.add(Fault.reply(stage, 451, "4.3.0 Try again later"))  # type: ignore[arg-type]

    with pytest.raises(aiosmtplib.SMTPException):
        await smtp.send_message(mail())
    await smtp.send_message(mail())

    assert len(mail_stand_in.mails) == 1


async def test_a_reply_of_421_closes_the_connection(
    mail_stand_in: MailStandIn, smtp: aiosmtplib.SMTP
) -> None:
    mail_stand_in.faults.add(Fault.reply("mail", 421, "4.7.0 Too many connections"))

    with pytest.raises(aiosmtplib.SMTPSenderRefused) as refusal:
        await smtp.send_message(mail())

    assert refusal.value.code == 421
    assert not smtp.is_connected


@pytest.mark.parametrize(
    "fault", [Fault.reply("connect", 554, "No"), Fault.drop("connect"), Fault.hang("connect")]
)
async def test_connecting_fails(mail_stand_in: MailStandIn, fault: Fault) -> None:
    mail_stand_in.faults.add(fault)

    with pytest.raises(aiosmtplib.SMTPException):
        await client(mail_stand_in, timeout=0.3).connect()


@pytest.mark.parametrize(
    "fault", [Fault.drop("data"), Fault.drop("message"), Fault.cut("message"), Fault.hang("message")]
)
async def test_a_connection_lost_before_acceptance_leaves_no_mail(
    mail_stand_in: MailStandIn, fault: Fault
) -> None:
    mail_stand_in.faults.add(fault)

    async with client(mail_stand_in) as smtp:
        with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError)):
            await smtp.send_message(mail(), timeout=1)

    assert mail_stand_in.mails == []


@pytest.mark.parametrize("fault", [Fault.drop(after_accepting=True), Fault.hang(after_accepting=True)])
async def test_a_mail_may_be_taken_though_the_answer_is_lost(
    mail_stand_in: MailStandIn, fault: Fault
) -> None:
    mail_stand_in.faults.add(fault)

    async with client(mail_stand_in) as smtp:
        with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError)):
            await smtp.send_message(mail(), timeout=1)

    assert len(await mail_stand_in.wait_for_messages(1)) == 1


async def test_stop_ends_open_connections_and_start_brings_the_server_back(
    mail_stand_in: MailStandIn, smtp: aiosmtplib.SMTP
) -> None:
    await smtp.send_message(mail())

    await mail_stand_in.stop()
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await smtp.send_message(mail())
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await client(mail_stand_in).connect()
    await mail_stand_in.start()
    async with client(mail_stand_in) as again:
        await again.send_message(mail())

    assert len(mail_stand_in.mails) == 2


async def test_encryption_needs_a_context() -> None:
    with pytest.raises(ValueError, match="ssl_context"):
        MailStandIn(security="tls")
