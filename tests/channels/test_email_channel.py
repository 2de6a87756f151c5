"""Sending through a mail server."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from pydantic import SecretStr

from pingpilot.delivery.channel import Recipient
from pingpilot.email.channel import EmailChannel
from pingpilot.email.sender import mailbox
from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    Misconfigured,
    PermanentFailure,
    TemporaryFailure,
)
from pingpilot.sandbox.faults import Fault, SmtpStage
from pingpilot.sandbox.smtp import MailStandIn, Security
from pingpilot.telemetry.health import Health, State
from tests.support.clock import ManualClock
from tests.support.waiting import until

from .notifications import OTHER, SALE

ALICE = Recipient(7, "alice@example.org")
SENDER = "PingPilot <ping@example.com>"
TIMEOUT = timedelta(seconds=0.6)


def server_at(stand_in: MailStandIn) -> MailServer:
    return MailServer(host=stand_in.host, port=stand_in.port, security=stand_in.security)


@asynccontextmanager
async def channel_to(
    server: MailServer,
    *,
    most: int = 4,
    sender: str = SENDER,
    timeout: timedelta = TIMEOUT,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[EmailChannel]:
    channel = EmailChannel(
        SmtpPool(server, most=most, timeout=timeout, monotonic=monotonic),
        sender=mailbox(sender),
        unsubscribe_url=lambda account_id, *_: f"https://example.com/unsubscribe/{account_id}",
        health=Health(),
    )
    try:
        yield channel
    finally:
        await channel.close()


@pytest.fixture
async def channel(mail_stand_in: MailStandIn) -> AsyncIterator[EmailChannel]:
    async with channel_to(server_at(mail_stand_in)) as channel:
        yield channel


async def failure_of(channel: EmailChannel, recipient: Recipient = ALICE) -> DeliveryFailure:
    """Return how sending fails."""
    with pytest.raises(DeliveryFailure) as failure:
        await channel.send(recipient, SALE)
    return failure.value


async def test_the_notification_arrives_as_a_mail(mail_stand_in: MailStandIn, channel: EmailChannel) -> None:
    await channel.send(ALICE, SALE)

    [mail] = mail_stand_in.mails
    assert (mail.sender, mail.recipients) == ("ping@example.com", ["alice@example.org"])
    assert (mail.message["From"], mail.message["To"]) == (SENDER, "alice@example.org")
    assert mail.message["Subject"] == "💰 Sale: A new sale of 42 € <b>@everyone</b>"
    assert mail.message["List-Unsubscribe"] == "<https://example.com/unsubscribe/7>"
    for kind in ("plain", "html"):
        body = mail.message.get_body((kind,))
        assert body is not None
        assert "A new sale of 42 €" in body.get_content()


async def test_a_stranger_gets_no_link_that_ends_the_accounts_mails(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    await channel.send(replace(ALICE, is_stranger=True), SALE)

    [mail] = mail_stand_in.mails
    assert b"nsubscribe" not in mail.raw


async def test_the_message_id_stays_the_same_for_a_delivery(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    await channel.send(ALICE, SALE)
    await channel.send(ALICE, SALE)
    await channel.send(ALICE, OTHER)

    first, again, other = (mail.message["Message-ID"] for mail in mail_stand_in.mails)
    assert first == again != other
    assert first.endswith("@example.com>")


@pytest.mark.parametrize(
    ("stage", "reply", "kind"),
    [
        ("connect", "421 4.3.2 Too many connections", TemporaryFailure),
        ("connect", "554 5.3.2 Not today", TemporaryFailure),
        ("ehlo", "421 4.3.2 Closing", TemporaryFailure),
        ("mail", "421 4.7.0 Closing", TemporaryFailure),
        ("mail", "451 4.3.0 Try later", TemporaryFailure),
        ("mail", "550 5.7.1 You may not send as this", ChannelUnavailable),
        ("mail", "552 5.3.4 Too big", PermanentFailure),
        ("mail", "530 5.7.0 Log in first", ChannelUnavailable),
        ("rcpt", "450 4.2.1 Greylisted", TemporaryFailure),
        ("rcpt", "550 5.7.1 Relaying denied", ChannelUnavailable),
        ("rcpt", "550 5.1.0 <ping@example.com>: Sender address rejected: User unknown", ChannelUnavailable),
        ("rcpt", "550 Sender verify failed: Unrouteable address", ChannelUnavailable),
        ("rcpt", "550 5.2.2 Mailbox full, access denied", PermanentFailure),
        ("rcpt", "550 Nicht heute", PermanentFailure),
        ("rcpt", "451 4.3.0 Temporary lookup failure", TemporaryFailure),
        ("rcpt", "550 5.1.8 Sender's domain not found", ChannelUnavailable),
        ("rcpt", "553 5.1.7 Sender's address is wrong", ChannelUnavailable),
        ("data", "451 4.3.0 Try later", TemporaryFailure),
        ("data", "554 5.7.1 Spam", PermanentFailure),
        ("message", "452 4.3.1 Disk full", TemporaryFailure),
        ("message", "554 5.7.1 Spam", PermanentFailure),
    ],
)
async def test_a_refusal_is_sorted_and_the_next_send_works(
    mail_stand_in: MailStandIn,
    channel: EmailChannel,
    stage: SmtpStage,
    reply: str,
    kind: type[DeliveryFailure],
) -> None:
    code, text = reply.split(" ", 1)
    mail_stand_in.faults.add(Fault.reply(stage, int(code), text))

    failure = await failure_of(channel)
    await channel.send(ALICE, SALE)

    assert type(failure) is kind
    assert reply in failure.reason
    assert getattr(failure, "recipient_gone", False) is False
    assert len(mail_stand_in.mails) == 1


@pytest.mark.parametrize("text", ["5.1.1 No such user", "5.1.10 Takes no mail", "5.1.2 No such domain"])
async def test_an_address_that_does_not_exist_is_gone(
    mail_stand_in: MailStandIn, channel: EmailChannel, text: str
) -> None:
    mail_stand_in.refuse_recipient(ALICE.address, 550, text)

    failure = await failure_of(channel)
    mail_stand_in.accept_recipient(ALICE.address)
    await channel.send(ALICE, SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert failure.reason == f"The mail server refused: 550 {text}"


@pytest.mark.parametrize(
    ("answer", "alone"),
    [
        ("rcpt 450 4.2.0 Greylisted", True),
        ("rcpt 451 Try again later", True),
        ("rcpt 452 4.2.2 Mailbox full", True),
        ("rcpt 421 4.7.0 Closing", False),
        ("rcpt 451 4.3.0 Temporary lookup failure", False),
        ("message 451 4.7.1 Greylisted", True),
        ("message 452 4.2.2 Mailbox full", True),
        ("message 452 4.3.1 Disk full", False),
        ("message 451 Try again later", False),
        ("mail 451 4.7.1 Try again later", False),
        ("connect 421 4.7.0 Too many connections", False),
    ],
)
async def test_what_is_put_off_for_one_recipient_is_no_trouble_of_the_server(
    mail_stand_in: MailStandIn, channel: EmailChannel, answer: str, alone: bool
) -> None:
    stage, code, text = answer.split(" ", 2)
    mail_stand_in.faults.add(Fault.reply(cast("SmtpStage", stage), int(code), text))

    failure = await failure_of(channel)

    assert isinstance(failure, TemporaryFailure)
    assert failure.recipient_alone is alone


@pytest.mark.parametrize(
    "text",
    [
        "550 Unrouteable address",
        "550 User unknown",
        "550 5.7.1 <relay@example.org>: Recipient address rejected: User unknown in relay recipient table",
        "550 <sender@example.org>: no such user here",
        "550 Requested action not taken: mailbox does not exist",
        "553 sorry, no mailbox here by that name",
        "550 Recipient unknown",
        "550 invalid mailbox",
    ],
)
async def test_an_unknown_mailbox_is_gone_without_a_status_too(
    mail_stand_in: MailStandIn, channel: EmailChannel, text: str
) -> None:
    mail_stand_in.refusal = text

    failure = await failure_of(channel)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


ACCESS_DENIED = "554 5.7.1 <alice@example.org>: Recipient address rejected: Access denied"
RELAY_DENIED = "554 5.7.1 <alice@example.org>: Relay access denied"
BOB = Recipient(8, "bob@example.org")


async def test_a_refusal_of_one_is_known_by_another_who_is_served_at_the_same_time(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.refused_recipients[ALICE.address] = ACCESS_DENIED
    await channel.send(BOB, SALE)

    failure = await failure_of(channel)

    assert isinstance(failure, PermanentFailure)
    assert not failure.recipient_gone
    assert len(mail_stand_in.mails) == 1  # bob was only asked for


async def test_a_refusal_of_all_is_no_fault_of_the_first(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    await channel.send(BOB, SALE)
    mail_stand_in.refusal = "550 Nicht heute"

    failure = await failure_of(channel)

    assert isinstance(failure, ChannelUnavailable)
    assert failure.reason == (
        "The mail server refused: 550 Nicht heute. It refuses others as well: check the settings of the mail "
        "server and ours."
    )


async def test_settings_that_fit_all_but_one_leave_time_to_mend_them(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.refused_recipients[ALICE.address] = RELAY_DENIED
    await channel.send(BOB, SALE)

    failure = await failure_of(channel)

    assert isinstance(failure, TemporaryFailure)
    assert failure.recipient_alone
    assert "PINGPILOT_SMTP_USERNAME" in failure.reason


@pytest.mark.parametrize(
    ("refusal", "variable"),
    [
        ("554 5.7.1 <box[192.0.2.7]>: Client host rejected: Access denied", "PINGPILOT_SMTP_USERNAME"),
        (ACCESS_DENIED, "PINGPILOT_SMTP_USERNAME"),
        (RELAY_DENIED, "PINGPILOT_SMTP_USERNAME"),
        ("550 relay not permitted", "PINGPILOT_SMTP_USERNAME"),
        ("553 5.7.1 <ping@example.com>: Sender address rejected: not owned by user", "PINGPILOT_SMTP_FROM"),
        ("504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname", "PINGPILOT_SMTP_HELO"),
        ("530 5.7.0 Must issue a STARTTLS command first", "PINGPILOT_SMTP_SECURITY"),
    ],
)
async def test_a_refusal_of_us_says_what_to_set(
    mail_stand_in: MailStandIn, channel: EmailChannel, refusal: str, variable: str
) -> None:
    mail_stand_in.refusal = refusal

    failure = await failure_of(channel)

    assert isinstance(failure, ChannelUnavailable)
    assert variable in failure.reason


async def test_a_mail_that_is_too_big_fails_alone(mail_stand_in: MailStandIn) -> None:
    mail_stand_in.size_limit = 100

    async with channel_to(server_at(mail_stand_in)) as channel:
        failure = await failure_of(channel)

    assert isinstance(failure, PermanentFailure)
    assert not failure.recipient_gone


@pytest.mark.parametrize("address", ["a..b@example.org", ".a@example.org", "a@exa mple.org"])
async def test_an_address_no_mail_can_carry_is_gone(
    mail_stand_in: MailStandIn, channel: EmailChannel, address: str
) -> None:
    failure = await failure_of(channel, replace(ALICE, address=address))

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert failure.reason.startswith("No mail can be sent to this address")
    assert mail_stand_in.connections == 0


async def test_a_domain_in_any_script_is_sent_to_and_from(mail_stand_in: MailStandIn) -> None:
    mail_stand_in.offers_smtputf8 = False

    async with channel_to(server_at(mail_stand_in), sender="Büro <ping@bücher.example>") as channel:
        await channel.send(Recipient(7, "alice@xn--bcher-kva.example"), SALE)

    [mail] = mail_stand_in.mails
    assert mail.sender == "ping@xn--bcher-kva.example"
    assert mail.message["From"].addresses[0].addr_spec == mail.sender


async def test_letters_beyond_ascii_are_sent_to_and_from_where_the_server_takes_them(
    mail_stand_in: MailStandIn,
) -> None:
    async with channel_to(server_at(mail_stand_in), sender="Büro <büro@bücher.example>") as channel:
        await channel.send(Recipient(7, "jürgen@example.org"), SALE)
        await channel.send(BOB, SALE)

    first, second = mail_stand_in.mails
    assert (first.sender, first.recipients) == ("büro@xn--bcher-kva.example", ["jürgen@example.org"])
    assert second.sender == first.sender
    assert "To: jürgen@example.org".encode() in first.raw


async def test_a_recipient_with_other_letters_is_told_at_once_where_the_server_takes_none(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.offers_smtputf8 = False

    failure = await failure_of(channel, Recipient(7, "jürgen@example.org"))

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert "SMTPUTF8" in failure.reason


async def test_a_sender_with_other_letters_shows_before_the_first_mail(mail_stand_in: MailStandIn) -> None:
    mail_stand_in.offers_smtputf8 = False

    async with channel_to(server_at(mail_stand_in), sender="büro@example.com") as channel:
        with pytest.raises(Misconfigured, match="Set PINGPILOT_SMTP_FROM"):
            await channel.run()
        failure = await failure_of(channel)

    assert isinstance(failure, ChannelUnavailable)


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "message"])
@pytest.mark.parametrize("fault", [Fault.drop, Fault.hang])
async def test_a_connection_that_is_lost_or_hangs_is_replaced(
    mail_stand_in: MailStandIn, channel: EmailChannel, fault: Callable[[SmtpStage], Fault], stage: SmtpStage
) -> None:
    mail_stand_in.faults.add(fault(stage))

    failure = await failure_of(channel)
    await channel.send(ALICE, SALE)

    looked_for_tls = stage == "connect" and fault == Fault.hang
    assert isinstance(failure, TemporaryFailure)
    assert len(mail_stand_in.mails) == 1
    assert mail_stand_in.connections == 2 + looked_for_tls


async def test_a_lost_answer_repeats_the_message_id(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.faults.add(Fault.drop(after_accepting=True))

    failure = await failure_of(channel)
    await channel.send(ALICE, SALE)

    assert isinstance(failure, TemporaryFailure)
    first, again = mail_stand_in.mails
    assert first.raw == again.raw


async def test_a_send_that_is_cancelled_puts_nothing_out_of_step(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.faults.add(Fault.hang("rcpt"))

    sending = asyncio.create_task(channel.send(ALICE, SALE))
    await until(lambda: mail_stand_in.faults.taken == 1)
    sending.cancel()
    await asyncio.wait([sending])
    mail_stand_in.refuse_recipient("gone@example.org")
    failure = await failure_of(channel, Recipient(8, "gone@example.org"))
    await channel.send(ALICE, OTHER)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert len(mail_stand_in.mails) == 1


async def test_messages_share_a_connection_that_stays_open(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    for _ in range(5):
        await channel.send(ALICE, SALE)

    assert len(mail_stand_in.mails) == 5
    assert mail_stand_in.connections == 1


async def test_many_messages_share_a_few_connections(mail_stand_in: MailStandIn) -> None:
    async with channel_to(server_at(mail_stand_in), most=2, timeout=timedelta(seconds=10)) as channel:
        await asyncio.gather(*(channel.send(ALICE, SALE) for _ in range(10)))
        sessions = len(mail_stand_in.sessions)

    assert len(mail_stand_in.mails) == 10
    assert sessions == mail_stand_in.connections == 2


async def test_an_idle_connection_that_died_costs_no_attempt(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    await channel.send(ALICE, SALE)

    await mail_stand_in.stop()
    await mail_stand_in.start()
    await channel.send(ALICE, OTHER)

    assert len(mail_stand_in.mails) == 2
    assert mail_stand_in.connections == 2


async def test_idle_connections_that_died_unseen_cost_seconds_once(
    mail_stand_in: MailStandIn, channel: EmailChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients = [Recipient(number, f"r{number}@example.org") for number in range(4)]
    await asyncio.gather(*(channel.send(each, SALE) for each in recipients))
    monkeypatch.setattr("pingpilot.email.smtp._NOOP_AFTER", 0.0)
    monkeypatch.setattr("pingpilot.email.smtp._NOOP_PATIENCE", 0.2)
    for _ in recipients:
        mail_stand_in.faults.add(Fault.hang("noop"))

    await channel.send(ALICE, OTHER)

    assert len(mail_stand_in.mails) == 5
    assert mail_stand_in.faults.taken == 1


async def test_a_send_cancelled_while_it_tries_an_idle_connection_leaves_none_open(
    mail_stand_in: MailStandIn, channel: EmailChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pingpilot.email.smtp._NOOP_AFTER", 0.0)
    await channel.send(ALICE, SALE)
    mail_stand_in.faults.add(Fault.hang("noop"))

    sending = asyncio.create_task(channel.send(ALICE, OTHER))
    await until(lambda: mail_stand_in.faults.taken == 1)
    sending.cancel()

    await until(lambda: not mail_stand_in.sessions)
    assert mail_stand_in.connections == 1


async def test_a_server_that_is_away_fails_for_a_while(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    await mail_stand_in.stop()

    failure = await failure_of(channel)
    await mail_stand_in.start()
    await channel.send(ALICE, SALE)

    assert isinstance(failure, TemporaryFailure)
    assert failure.reason.startswith("The mail server can't be used: ")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_encrypted_server_with_a_login_is_served(
    serving: ssl.SSLContext, trusting: ssl.SSLContext, security: Security
) -> None:
    async with (
        MailStandIn(security=security, ssl_context=serving, username="ping", password="secret") as stand_in,
        channel_to(
            replace(server_at(stand_in), username="ping", password=SecretStr("secret"), tls_context=trusting),
            timeout=timedelta(seconds=10),
        ) as channel,
    ):
        await channel.send(ALICE, SALE)
        await channel.send(ALICE, OTHER)

    assert len(stand_in.mails) == 2
    assert stand_in.connections == 1


async def test_a_wrong_password_makes_the_channel_unavailable(
    mail_stand_in: MailStandIn, clock: ManualClock
) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"
    server = replace(server_at(mail_stand_in), username="ping", password=SecretStr("wrong"))

    async with channel_to(server, monotonic=clock.monotonic) as channel:
        failure = await failure_of(channel)
        mail_stand_in.password = "wrong"
        clock.advance_seconds(60)
        await channel.send(ALICE, SALE)

    assert isinstance(failure, ChannelUnavailable)
    assert "535" in failure.reason


async def test_a_server_that_wants_a_login_makes_the_channel_unavailable(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"

    failure = await failure_of(channel)

    assert isinstance(failure, ChannelUnavailable)
    assert "530" in failure.reason


async def test_mail_never_goes_unencrypted_where_starttls_is_asked_for(mail_stand_in: MailStandIn) -> None:
    async with channel_to(replace(server_at(mail_stand_in), security="starttls")) as channel:
        failure = await failure_of(channel)

    assert isinstance(failure, ChannelUnavailable)
    assert mail_stand_in.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_nobody_known_makes_the_channel_unavailable(
    serving: ssl.SSLContext, security: Security
) -> None:
    async with (
        MailStandIn(security=security, ssl_context=serving) as stand_in,
        channel_to(server_at(stand_in), timeout=timedelta(seconds=10)) as channel,
    ):
        failure = await failure_of(channel)

    assert isinstance(failure, ChannelUnavailable)
    assert "certificate" in failure.reason.lower()
    assert stand_in.mails == []


@asynccontextmanager
async def watched(channel: EmailChannel) -> AsyncIterator["asyncio.Task[None]"]:
    """Run the channel's own look at the mail server, which the supervisor keeps running."""
    task = asyncio.create_task(channel.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_mail_server_shows_as_up(mail_stand_in: MailStandIn) -> None:
    health = Health()
    pool = SmtpPool(server_at(mail_stand_in), timeout=TIMEOUT)
    channel = EmailChannel(pool, sender=mailbox(SENDER), unsubscribe_url=lambda *_: "", health=health)

    async with watched(channel):
        await until(lambda: "email" in health.parts)
    await channel.close()

    assert health.parts["email"].state is State.UP


async def test_a_send_in_trouble_has_the_mail_server_looked_at_again(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    async with watched(channel) as looking:
        await until(lambda: mail_stand_in.connections == 1)
        await mail_stand_in.stop()
        await failure_of(channel)
        await asyncio.wait([looking], timeout=10)

    with pytest.raises(TemporaryFailure, match="can't be used"):
        looking.result()


async def test_a_refused_login_is_for_a_person_to_mend(mail_stand_in: MailStandIn) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"
    server = replace(server_at(mail_stand_in), username="ping", password=SecretStr("wrong"))

    async with channel_to(server) as channel:
        with pytest.raises(Misconfigured, match="535"):
            await channel.run()


async def test_a_name_that_does_not_resolve_fails_for_a_while() -> None:
    async with channel_to(MailServer(host="nowhere.invalid", port=587, security="none")) as channel:
        failure = await failure_of(channel)

    assert type(failure) is TemporaryFailure
    assert "nowhere.invalid" in failure.reason


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("454 4.7.0 No TLS just now", TemporaryFailure),
        ("502 5.5.1 No TLS here", ChannelUnavailable),
    ],
)
async def test_a_refused_starttls_is_sorted_and_sends_nothing_in_the_clear(
    serving: ssl.SSLContext, trusting: ssl.SSLContext, reply: str, kind: type[DeliveryFailure]
) -> None:
    code, text = reply.split(" ", 1)
    async with (
        MailStandIn(security="starttls", ssl_context=serving) as stand_in,
        channel_to(
            replace(server_at(stand_in), tls_context=trusting), timeout=timedelta(seconds=10)
        ) as channel,
    ):
        stand_in.faults.add(Fault.reply("starttls", int(code), text))

        failure = await failure_of(channel)
        before = len(stand_in.mails)
        await channel.send(ALICE, SALE)

    assert type(failure) is kind
    assert reply in failure.reason
    assert (before, len(stand_in.mails)) == (0, 1)


async def test_a_server_that_does_not_know_ehlo_is_greeted_the_old_way(
    mail_stand_in: MailStandIn, channel: EmailChannel
) -> None:
    mail_stand_in.faults.add(Fault.reply("ehlo", 502, "5.5.1 What?"))

    await channel.send(ALICE, SALE)

    assert mail_stand_in.faults.taken == 1
    assert len(mail_stand_in.mails) == 1
