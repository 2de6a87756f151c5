"""Connections to a mail server: our name, one login, what certificates and wrong ports are told as."""

import asyncio
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, TemporaryFailure
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from tests.support.clock import ManualClock

PATIENCE = timedelta(seconds=5)


def server_at(stand_in: MailStandIn) -> MailServer:
    return MailServer(host=stand_in.host, port=stand_in.port, security=stand_in.security)


async def check(server: MailServer, timeout: timedelta = PATIENCE) -> None:
    """Connect, and log in where the settings say so."""
    pool = SmtpPool(server, timeout=timeout)
    try:
        await pool.check("ping@example.com")
    finally:
        await pool.close()


async def send(server: MailServer) -> None:
    pool = SmtpPool(server, timeout=PATIENCE)
    try:
        await pool.send("ping@example.com", "alice@example.org", b"Subject: x\r\n\r\nx\r\n")
    finally:
        await pool.close()


async def trouble_with(server: MailServer, timeout: timedelta = PATIENCE) -> str:
    """Return why the channel pauses."""
    with pytest.raises(ChannelUnavailable) as failure:
        await check(server, timeout)
    return failure.value.reason


# The name we greet with


@pytest.mark.parametrize(
    ("host_name", "full_name", "greeting"),
    [
        ("box.example.com", "", "box.example.com"),
        ("box", "box.example.com", "box.example.com"),
        ("3f2a9c0d1e4b", "3f2a9c0d1e4b", "[127.0.0.1]"),
        ("localhost", "localhost.localdomain", "[127.0.0.1]"),
        ("my_box", "my_box.example.com", "[127.0.0.1]"),
    ],
)
async def test_a_careful_server_is_greeted_with_a_full_name_or_an_address(
    mail_stand_in: MailStandIn,
    monkeypatch: pytest.MonkeyPatch,
    host_name: str,
    full_name: str,
    greeting: str,
) -> None:
    mail_stand_in.wants_full_name = True
    monkeypatch.setattr(socket, "gethostname", lambda: host_name)
    monkeypatch.setattr(socket, "getfqdn", lambda: full_name)

    await send(server_at(mail_stand_in))

    assert mail_stand_in.greetings == [greeting]


async def test_the_name_set_is_the_one_we_greet_with(mail_stand_in: MailStandIn) -> None:
    await send(replace(server_at(mail_stand_in), helo="mail.example.com"))

    assert mail_stand_in.greetings == ["mail.example.com"]


# One login


@pytest.mark.parametrize("offered", ["PLAIN LOGIN", "LOGIN", "PLAIN LOGIN CRAM-MD5"])
async def test_a_wrong_password_costs_one_login(mail_stand_in: MailStandIn, offered: str) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"
    mail_stand_in.mechanisms = offered
    server = replace(server_at(mail_stand_in), username="ping", password=SecretStr("wrong"))

    reason = await trouble_with(server)

    assert mail_stand_in.logins == 1
    assert "Check PINGPILOT_SMTP_USERNAME and PINGPILOT_SMTP_PASSWORD." in reason


async def test_a_wrong_password_costs_few_logins_however_much_waits(
    mail_stand_in: MailStandIn, clock: ManualClock
) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"
    server = replace(server_at(mail_stand_in), username="ping", password=SecretStr("wrong"))
    pool = SmtpPool(server, timeout=PATIENCE, monotonic=clock.monotonic)

    tries = (pool.check("ping@example.com") for _ in range(8))
    at_once = await asyncio.gather(*tries, return_exceptions=True)
    logins = [mail_stand_in.logins]
    for _ in range(2 * 60 // 5):  # ten minutes, with a probe and a look at the server now and then
        clock.advance_seconds(25)
        with pytest.raises(ChannelUnavailable, match="535"):
            await pool.check("ping@example.com")
    logins.append(mail_stand_in.logins)
    mail_stand_in.password = "wrong"
    clock.advance_seconds(600)
    await pool.check("ping@example.com")
    await pool.close()

    assert {type(each) for each in at_once} == {ChannelUnavailable}
    assert logins == [1, 4]


async def test_a_way_to_log_in_that_the_server_does_not_know_after_all_is_no_try(
    mail_stand_in: MailStandIn,
) -> None:
    mail_stand_in.username, mail_stand_in.password = "ping", "secret"
    mail_stand_in.faults.add(Fault.reply("auth", 504, "5.5.4 Unrecognized authentication type"))

    await check(replace(server_at(mail_stand_in), username="ping", password=SecretStr("secret")))

    assert mail_stand_in.logins == 1


async def test_a_login_that_is_not_offered_is_said_so(mail_stand_in: MailStandIn) -> None:
    server = replace(server_at(mail_stand_in), username="ping", password=SecretStr("secret"))

    reason = await trouble_with(server)

    assert "it offers no way to log in" in reason


# The wrong kind of encryption


async def test_tls_from_the_start_is_told_where_starttls_is_set(serving: ssl.SSLContext) -> None:
    async with MailStandIn(security="tls", ssl_context=serving) as stand_in:
        server = replace(server_at(stand_in), security="starttls")

        reason = await trouble_with(server, timedelta(seconds=0.5))

    assert reason.endswith(
        f"it wants TLS from the start on port {stand_in.port}. Set PINGPILOT_SMTP_SECURITY to tls."
    )


async def test_starttls_is_told_where_tls_is_set(mail_stand_in: MailStandIn) -> None:
    reason = await trouble_with(replace(server_at(mail_stand_in), security="tls"))

    assert reason.endswith("It does not speak TLS from the start: set PINGPILOT_SMTP_SECURITY to starttls.")


async def test_a_server_without_starttls_is_told(mail_stand_in: MailStandIn) -> None:
    reason = await trouble_with(replace(server_at(mail_stand_in), security="starttls"))

    assert "PINGPILOT_SMTP_SECURITY" in reason


# Certificates


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_private_certificate_is_trusted_by_the_file_that_is_set(
    authority: trustme.CA, serving: ssl.SSLContext, tmp_path: Path, security: str
) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))

    async with MailStandIn(security=security, ssl_context=serving) as stand_in:  # type: ignore[arg-type]
        await send(replace(server_at(stand_in), ca_file=str(file)))

    assert len(stand_in.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_fault_is_told_as_one_at_once(serving: ssl.SSLContext, security: str) -> None:
    began = time.monotonic()

    async with MailStandIn(security=security, ssl_context=serving) as stand_in:  # type: ignore[arg-type]
        unknown = await trouble_with(server_at(stand_in))

    assert unknown.endswith("set PINGPILOT_SMTP_CA_FILE to a file with the issuer's certificate.")
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name_is_told(authority: trustme.CA, security: str) -> None:
    elsewhere = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.example.com").configure_cert(elsewhere)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async with MailStandIn(security=security, ssl_context=elsewhere) as stand_in:  # type: ignore[arg-type]
        reason = await trouble_with(replace(server_at(stand_in), tls_context=trusting))

    assert reason.endswith("set PINGPILOT_SMTP_HOST to a name that stands in it.")


# Looking names up


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let look-ups hang until the end of the test."""
    end = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        end.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield end
    end.set()


async def test_a_name_server_that_hangs_is_a_passing_trouble(hanging: threading.Event) -> None:
    server = MailServer(host="mail.example.com", port=587, security="none")
    pool = SmtpPool(server, timeout=timedelta(seconds=0.2))

    for _ in range(3):
        with pytest.raises(TemporaryFailure, match="could not be looked up within"):
            await pool.check("ping@example.com")

    assert len([each for each in threading.enumerate() if each.name == "look up a name"]) == 1


HANGING = """
import asyncio, socket, sys, time
from datetime import timedelta
from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import TemporaryFailure
from pingpilot.loops import run_on_uvloop

socket.getaddrinfo = lambda *_, **__: time.sleep(600)

async def main():
    pool = SmtpPool(MailServer("mail.example.com", 587, "none"), timeout=timedelta(seconds=0.2))
    try:
        await pool.check("ping@example.com")
    except TemporaryFailure:
        print("stopping", flush=True)

run_on_uvloop(main())
"""


async def test_a_name_server_that_hangs_holds_no_stop() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGING, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = await asyncio.wait_for(process.stdout.readline(), 60)
    began = time.monotonic()
    await asyncio.wait_for(process.wait(), 60)

    assert said == b"stopping\n"
    assert re.fullmatch("0", str(process.returncode))
    assert time.monotonic() - began < 5


async def test_no_more_connections_are_open_than_this_daemons_share(mail_stand_in: MailStandIn) -> None:
    share = 1
    pool = SmtpPool(server_at(mail_stand_in), most=4, share=lambda _most: share, timeout=PATIENCE)

    async def send(number: int) -> None:
        message = f"Subject: {number}\r\n\r\nx\r\n".encode()
        await pool.send("ping@example.com", f"user{number}@example.org", message)

    async def most_among(numbers: range) -> int:
        before = mail_stand_in.connections
        await asyncio.gather(*(send(number) for number in numbers))
        return mail_stand_in.connections - before

    alone = await most_among(range(6))
    share = 3
    together = await most_among(range(6, 18))
    share = 1
    again = await most_among(range(18, 24))
    await pool.close()

    assert alone == 1
    assert together == 2  # and the one that was kept
    assert again == 0
    assert len(mail_stand_in.mails) == 24
