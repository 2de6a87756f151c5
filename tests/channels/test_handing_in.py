"""Handing a mail in: all commands at once where the server takes that, and each answer is its command's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure
from pingpilot.sandbox.faults import Fault, SmtpStage
from pingpilot.sandbox.smtp import MailStandIn

MAIL = b"Subject: x\r\n\r\nx\r\n"
ENVELOPE = b"MAIL FROM:<ping@example.com>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n"


@dataclass
class Scripted:
    """A server that answers each piece it reads with the next entry of its script, and then hangs up."""

    script: list[bytes]
    extensions: bytes = b"250 PIPELINING\r\n"
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for answer in [b"250-hello\r\n" + self.extensions, *self.script]:
            self.heard.append(await reader.read(100_000))
            writer.write(answer)
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def pool_to(port: int) -> AsyncIterator[SmtpPool]:
    pool = SmtpPool(MailServer(host="127.0.0.1", port=port, security="none"))
    try:
        yield pool
    finally:
        await pool.close()


async def send(scripted: Scripted) -> None:
    async with (
        await asyncio.start_server(scripted.serve, "127.0.0.1", 0) as server,
        pool_to(server.sockets[0].getsockname()[1]) as pool,
    ):
        await pool.send("ping@example.com", "ada@example.org", MAIL)


async def test_a_server_that_offers_it_hears_all_commands_at_once() -> None:
    server = Scripted([b"250 ok\r\n250 ok\r\n354 go on\r\n", b"250 taken\r\n"])

    await send(server)

    assert server.heard[1:3] == [ENVELOPE, MAIL + b".\r\n"]


async def test_others_hear_one_command_at_a_time() -> None:
    server = Scripted([b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n", b"250 taken\r\n"], b"250 HELP\r\n")

    await send(server)

    assert server.heard[1:5] == [*ENVELOPE.splitlines(keepends=True), MAIL + b".\r\n"]


async def test_a_server_that_wants_the_mail_of_a_refused_recipient_gets_none() -> None:
    # RFC 2920, 3.1: the answer to DATA may be 354 although nobody is there to get it
    server = Scripted([b"250 ok\r\n550 5.1.1 no such user\r\n354 go on\r\n", b"554 no valid recipients\r\n"])

    with pytest.raises(PermanentFailure, match=r"550 5\.1\.1 no such user"):
        await send(server)

    assert server.heard[2] == b".\r\n"


async def test_a_no_counts_though_the_server_hangs_up_behind_it() -> None:
    server = Scripted([b"550 5.7.1 <ping@example.com>: Sender address rejected\r\n"])

    with pytest.raises(ChannelUnavailable, match="Sender address rejected"):
        await send(server)


async def test_a_server_that_hangs_up_without_a_word_is_tried_again() -> None:
    with pytest.raises(TemporaryFailure, match="Connection lost"):
        await send(Scripted([b"250 ok\r\n"]))


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "message"])
async def test_a_no_is_told_the_same_whether_commands_go_together_or_not(
    mail_stand_in: MailStandIn, stage: SmtpStage
) -> None:
    told = []
    for mail_stand_in.offers_pipelining in (True, False):
        mail_stand_in.faults.add(Fault.reply(stage, 451, f"4.3.0 no to {stage}"))
        async with pool_to(mail_stand_in.port) as pool:
            with pytest.raises(DeliveryFailure) as failure:
                await pool.send("ping@example.com", "ada@example.org", MAIL)
            await pool.send("ping@example.com", "ada@example.org", MAIL)
        told.append((type(failure.value), failure.value.reason))

    assert told[0] == told[1]
    assert f"no to {stage}" in told[0][1]
    assert len(mail_stand_in.mails) == 2


@pytest.mark.parametrize("together", [True, False])
async def test_after_a_no_the_server_can_be_asked_for_somebody_else(
    mail_stand_in: MailStandIn, together: bool
) -> None:
    mail_stand_in.offers_pipelining = together
    mail_stand_in.refuse_recipient("ada@example.org", 554, "5.7.1 Access denied")
    async with pool_to(mail_stand_in.port) as pool:
        await pool.send("ping@example.com", "eve@example.org", MAIL)

        with pytest.raises(PermanentFailure, match="Access denied"):
            await pool.send("ping@example.com", "ada@example.org", MAIL)

    assert mail_stand_in.asked_for == {"eve@example.org": 2, "ada@example.org": 1}
    assert mail_stand_in.connections == 1


async def test_lines_that_begin_with_a_full_stop_arrive_as_they_are(mail_stand_in: MailStandIn) -> None:
    message = b".first: x\r\n\r\n.\r\n..two\r\nx.\r\n.end\r\n"
    async with pool_to(mail_stand_in.port) as pool:
        await pool.send("ping@example.com", "ada@example.org", message)

    assert mail_stand_in.mails[0].raw == message
