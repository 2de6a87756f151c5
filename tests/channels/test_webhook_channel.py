"""Sending to webhooks: over real sockets, with TLS, by names that a test makes up."""

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

import pytest
import trustme
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from models.destination import DestinationKind
from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.clock import Clock, SystemClock
from pingpilot.delivery.channel import Recipient
from pingpilot.delivery.trying import TRIED_WITHIN
from pingpilot.errors import DeliveryFailure, PermanentFailure, TemporaryFailure
from pingpilot.networks import Address, networks_of
from pingpilot.sandbox.faults import EndlessPart, Fault
from pingpilot.sandbox.webhook import WebhookStandIn
from pingpilot.telemetry.health import Health, State
from pingpilot.webhook.answers import pause_named_by
from pingpilot.webhook.channel import TIMEOUT, WebhookChannel
from pingpilot.webhook.connecting import Resolver, pinned_session
from tests.support.clock import ManualClock
from tests.support.waiting import until

from .notifications import OTHER, SALE

SECRET, FORMER = new_webhook_secret(), new_webhook_secret()
LOOPBACK = networks_of(["127.0.0.0/8"])
NOWHERE = networks_of([])
NAME = "hooks.example.com"
SHORT = timedelta(seconds=0.5)


class Names:
    """A name server's answers, one after the other, the last for ever; `asked` are the names looked up."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def look_up(self, host: str) -> list[Address]:
        self.asked.append(host)
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [ip_address(each) for each in answer]


def certificate(authority: trustme.CA, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
    """Return a server's context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=not_after).configure_cert(context)
    return context


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookStandIn]:
    async with WebhookStandIn(secrets=[SECRET]) as receiver:
        yield receiver


@asynccontextmanager
async def secure_receiver(tls: ssl.SSLContext) -> AsyncIterator[WebhookStandIn]:
    async with WebhookStandIn(secrets=[SECRET], tls=tls) as receiver:
        yield receiver


def channel(
    *,
    names: Names | None = None,
    allowed: Sequence[object] = LOOPBACK,
    tls: ssl.SSLContext | None = None,
    timeout: timedelta = timedelta(seconds=15),
    clock: Clock | None = None,
) -> WebhookChannel:
    return WebhookChannel(
        health=Health(),
        clock=clock or SystemClock(),
        allowed=allowed,  # type: ignore[arg-type]
        look_up=names.look_up if names else None,
        tls=tls,
        timeout=timeout,
    )


def to(url: str, *secrets: str) -> Recipient:
    return Recipient(
        7, url, destination="program", kind=DestinationKind.WEBHOOK, secrets=secrets or (SECRET,)
    )


async def failure(channel: WebhookChannel, recipient: Recipient) -> DeliveryFailure:
    with pytest.raises(DeliveryFailure) as raised:
        await channel.send(recipient, SALE)
    return raised.value


# --- What is sent


async def test_what_is_sent_is_verified_by_the_standardwebhooks_package(receiver: WebhookStandIn) -> None:
    await channel().send(to(receiver.url), SALE)

    [message] = receiver.messages
    payload = Webhook(SECRET).verify(message.body, message.headers)
    assert payload["data"]["description"] == SALE.description
    with pytest.raises(WebhookVerificationError):
        Webhook(FORMER).verify(message.body, message.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(message.body + b" ", message.headers)


async def test_while_a_secret_rotates_both_verify(receiver: WebhookStandIn) -> None:
    receiver.secrets = [FORMER]

    await channel().send(to(receiver.url, SECRET, FORMER), SALE)

    [message] = receiver.messages
    assert message.signatures == 2
    for secret in (SECRET, FORMER):
        assert Webhook(secret).verify(message.body, message.headers)["type"] == "event.created"


async def test_a_retry_has_the_same_id_and_body_and_a_time_of_its_own(receiver: WebhookStandIn) -> None:
    clock = ManualClock(datetime.now(UTC))
    receiver.now = clock.now
    first = channel(clock=clock)
    receiver.faults.add(Fault.drop(after_accepting=True))

    assert isinstance(await failure(first, to(receiver.url)), TemporaryFailure)
    clock.advance_seconds(30)
    await channel(clock=clock).send(to(receiver.url), SALE)
    await first.send(to(receiver.url), OTHER)

    assert len({each.id for each in receiver.messages}) == 2
    assert receiver.repeats == 1  # the same id and, by its signature, whole
    times = [int(each.headers["webhook-timestamp"]) for each in receiver.messages]
    assert times[1] - times[0] == 30


async def test_the_headers_are_those_of_a_json_post(receiver: WebhookStandIn) -> None:
    await channel().send(to(f"{receiver.url}?token=a%2Fb"), SALE)

    [message] = receiver.messages
    assert message.path == "/hook?token=a%2Fb"
    assert message.headers["content-type"] == "application/json"
    assert message.headers["user-agent"].startswith("PingPilot/")
    assert not {"cookie", "authorization", "referer"} & message.headers.keys()


@pytest.mark.parametrize("secrets", [("",), ("whsec_%%%",), ("whsec_é",)])
async def test_a_secret_that_is_none_fails_and_is_not_shown(
    receiver: WebhookStandIn, secrets: tuple[str, ...]
) -> None:
    recipient = replace(to(receiver.url), secrets=tuple(each for each in secrets if each))

    failed = await failure(channel(), recipient)

    assert isinstance(failed, PermanentFailure)
    assert "rotate" in failed.reason
    assert "%%%" not in failed.reason
    assert receiver.messages == []


# --- What the receiver answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_delivers(receiver: WebhookStandIn, status: int) -> None:
    receiver.faults.add(Fault.status(status))

    await channel().send(to(receiver.url), SALE)

    assert receiver.faults.taken == 1


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "The webhook answered 400 Bad Request."),
        (401, "The webhook answered 401 Unauthorized: does it have the webhook's present secret?"),
        (404, "The webhook answered 404 Not Found: is its address still right?"),
        (405, "The webhook answered 405 Method Not Allowed: it must take POST."),
        (408, "The webhook answered 408 Request Timeout."),
        (413, "The webhook answered 413 Request Entity Too Large: it must take bodies of up to 100 KB."),
        (422, "The webhook answered 422 Unprocessable Entity."),
        (429, "The webhook answered 429 Too Many Requests."),
        (500, "The webhook answered 500 Internal Server Error."),
        (503, "The webhook answered 503 Service Unavailable."),
        (520, "The webhook answered 520."),
    ],
)
async def test_what_may_pass_is_tried_again_and_is_about_this_receiver_alone(
    receiver: WebhookStandIn, status: int, says: str
) -> None:
    receiver.faults.add(Fault.error(status, "SECRETS OF ANOTHER PROGRAM"))

    failed = await failure(channel(), to(receiver.url))

    assert isinstance(failed, TemporaryFailure)
    assert (failed.reason, failed.retry_after, failed.recipient_alone) == (says, None, True)


async def test_410_suspends(receiver: WebhookStandIn) -> None:
    receiver.faults.add(Fault.status(410))

    failed = await failure(channel(), to(receiver.url))

    assert isinstance(failed, PermanentFailure)
    assert failed.recipient_gone
    assert failed.reason == "The webhook answered 410 Gone: it wants no more messages."


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: WebhookStandIn, status: int) -> None:
    async with WebhookStandIn(secrets=[SECRET]) as other:
        receiver.faults.add(Fault.status(status, headers={"Location": other.url}))

        failed = await failure(channel(), to(receiver.url))

        assert sum(other.calls.values()) == 0
    assert isinstance(failed, TemporaryFailure)
    assert (
        "redirects are not followed. Add another webhook with the address that this one leads to."
        in failed.reason
    )
    assert other.url not in failed.reason


NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("86400", 3600),
        ("9999999999", 3600),
        ("99999999999", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        ("Thursday, 26-Nov-26 12:01:30 GMT", 90),
        (format_datetime(NOW + timedelta(days=3), usegmt=True), 3600),
        (format_datetime(NOW - timedelta(days=3), usegmt=True), 0),
        ("Thu, 26 Nov 9999999 12:00:00 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(header: str | None, wait: int | None) -> None:
    assert pause_named_by(header, NOW) == (None if wait is None else timedelta(seconds=wait))


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed(receiver: WebhookStandIn, status: int) -> None:
    receiver.faults.add(Fault.status(status, retry_after=77))

    failed = await failure(channel(), to(receiver.url))

    assert isinstance(failed, TemporaryFailure)
    assert failed.retry_after == timedelta(seconds=77)


@pytest.mark.parametrize("part", ["body", "slow body"])
async def test_of_a_body_that_never_ends_little_is_read(receiver: WebhookStandIn, part: EndlessPart) -> None:
    receiver.faults.add(Fault.unending(part))
    receiver.faults.add(Fault.unending(part, 500))

    async with asyncio.timeout(10):
        await channel().send(to(receiver.url), SALE)  # what it said was 200
        failed = await failure(channel(), to(receiver.url))

    assert failed.reason == "The webhook answered 500 Internal Server Error."


async def test_an_answer_that_breaks_off_after_2xx_delivers(receiver: WebhookStandIn) -> None:
    receiver.faults.add(Fault.cut())

    await channel().send(to(receiver.url), SALE)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.hang(), "The webhook did not answer within 0.5 seconds."),
        (Fault.unending("slow headers"), "The webhook did not answer within 0.5 seconds."),
        (Fault.unending("headers"), "The webhook's answer is not one of HTTP."),
        (Fault.drop(), "The connection to the webhook broke: "),
    ],
    ids=["no answer", "slow headers", "huge headers", "reset"],
)
async def test_no_answer_is_tried_again(receiver: WebhookStandIn, fault: Fault, says: str) -> None:
    receiver.faults.add(fault)

    failed = await failure(channel(timeout=SHORT), to(receiver.url))

    assert isinstance(failed, TemporaryFailure)
    assert failed.recipient_alone
    assert failed.reason.startswith(says) or failed.reason == (
        "The webhook closed the connection before it answered."
    )


async def test_a_flood_of_interim_answers_keeps_the_loop_from_nothing() -> None:
    """aiohttp takes any number of 1xx, and all that is there in one go: seconds, where much is."""
    longest, flooding, began = 0.0, True, time.thread_time()

    def flood(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while flooding:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)

    async def turn() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()  # of the processor, lest a busy machine counts
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        flooder = threading.Thread(target=flood, args=(listener,), daemon=True)
        flooder.start()
        turning = asyncio.create_task(turn())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        failed = await failure(channel(timeout=timedelta(seconds=3)), to(url))
        turning.cancel()
        flooding = False
        await asyncio.to_thread(flooder.join)

    assert failed.reason == "The webhook did not answer within 3 seconds."
    assert longest < (time.thread_time() - began) / 4


async def test_one_who_does_not_listen_is_tried_again(receiver: WebhookStandIn) -> None:
    url = receiver.url
    await receiver.stop()

    failed = await failure(channel(), to(url))

    assert isinstance(failed, TemporaryFailure)
    assert failed.reason == "The webhook can't be reached: Connection refused."


async def test_one_who_speaks_no_http_is_tried_again() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        failed = await failure(channel(), to(f"http://127.0.0.1:{port}/"))

    assert isinstance(failed, TemporaryFailure)
    assert failed.recipient_alone


# --- TLS


async def test_over_tls_the_name_is_verified_and_not_the_address(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    names = Names(["127.0.0.1"])
    async with secure_receiver(certificate(authority, NAME)) as receiver:
        await channel(names=names, tls=trusting).send(to(f"https://{NAME}:{receiver.port}/hook"), SALE)

        assert len(receiver.messages) == 1
        assert receiver.messages[0].headers["host"] == f"{NAME}:{receiver.port}"


async def tls_failure(tls: ssl.SSLContext, trusting: ssl.SSLContext | None) -> str:
    async with secure_receiver(tls) as receiver:
        names = Names(["127.0.0.1"])
        url = f"https://{NAME}:{receiver.port}/hook"
        failed = await failure(channel(names=names, tls=trusting), to(url))
        assert receiver.messages == []
    assert isinstance(failed, TemporaryFailure)
    assert failed.recipient_alone
    return failed.reason


async def test_a_certificate_of_another_name_is_told(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    reason = await tls_failure(certificate(authority, "other.example.com"), trusting)

    assert "certificate is not accepted: Hostname mismatch" in reason


async def test_a_certificate_of_nobody_known_is_told(authority: trustme.CA) -> None:
    reason = await tls_failure(certificate(authority, NAME), None)

    assert "certificate is not accepted: unable to get local issuer certificate" in reason


async def test_a_certificate_that_has_expired_is_told(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    reason = await tls_failure(certificate(authority, NAME, not_after=yesterday), trusting)

    assert reason == "The webhook's certificate is not accepted: certificate has expired."


async def test_one_who_speaks_no_tls_is_told(receiver: WebhookStandIn) -> None:
    failed = await failure(channel(), to(receiver.url.replace("http://", "https://")))

    assert isinstance(failed, TemporaryFailure)
    assert failed.reason.startswith("The webhook does not speak TLS as it should")
    assert receiver.messages == []


# --- No way into the operator's network

PUBLIC = "8.8.8.8"
INNER = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104  # one to refuse
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fd00::1",
    "fec0::1",
    "fe80::1",
]


@pytest.mark.parametrize("address", INNER)
async def test_a_name_that_leads_to_an_inner_address_is_refused(
    receiver: WebhookStandIn, address: str
) -> None:
    recipient = to(f"https://{NAME}:{receiver.port}/hook")

    failed = await failure(channel(names=Names([address]), allowed=NOWHERE), recipient)

    assert isinstance(failed, PermanentFailure)
    assert failed.recipient_refused
    assert "PINGPILOT_WEBHOOK_ALLOW" in failed.reason
    assert sum(receiver.calls.values()) == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f.1:{port}/",
        "https://0177.0.0.1:{port}/",
        "https://127.1:{port}/",
        "https://localhost:{port}/",
        "https://app.localhost:{port}/",
        "https://１２７.0.0.1:{port}/",
        "http://127.0.0.1:{port}/",
    ],
)
async def test_an_inner_address_that_is_stored_is_refused_when_it_is_used(
    receiver: WebhookStandIn, url: str
) -> None:
    """As where the operator closes a network again."""
    failed = await failure(channel(allowed=NOWHERE), to(url.format(port=receiver.port)))

    assert isinstance(failed, PermanentFailure)
    assert failed.recipient_refused
    assert sum(receiver.calls.values()) == 0


async def test_a_name_is_looked_up_once_and_the_address_judged_is_the_one_connected_to(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """A name server that answers differently each time gains nothing."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with secure_receiver(certificate(authority, NAME)) as receiver:
        await channel(names=names, tls=trusting).send(to(f"https://{NAME}:{receiver.port}/"), SALE)

    assert names.asked == [NAME]
    assert len(receiver.messages) == 1


async def test_after_a_change_of_the_name_the_new_address_is_judged(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with secure_receiver(certificate(authority, NAME)) as receiver:
        sending = channel(names=names, tls=trusting)
        await sending.send(to(f"https://{NAME}:{receiver.port}/"), SALE)
        failed = await failure(sending, to(f"https://{NAME}:{receiver.port}/"))

    assert isinstance(failed, PermanentFailure)
    assert "a private address" in failed.reason
    assert len(receiver.messages) == 1


async def test_of_several_addresses_only_those_that_may_be_are_used(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    names, opened = Names(["10.0.0.1", "127.0.0.1", "169.254.169.254"]), networks_of(["127.0.0.1"])
    async with secure_receiver(certificate(authority, NAME)) as receiver:
        sending = channel(names=names, allowed=opened, tls=trusting)
        await sending.send(to(f"https://{NAME}:{receiver.port}/"), SALE)

    assert len(receiver.messages) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_a_pinned_session_connects_nowhere_else(receiver: WebhookStandIn, host: str) -> None:
    """Whatever a URL says, past all that read it before."""
    async with pinned_session([ip_address("192.0.2.1")]) as session:
        with pytest.raises((OSError, TimeoutError)):
            async with asyncio.timeout(0.5), session.post(f"http://{host}:{receiver.port}/"):
                pass

    assert sum(receiver.calls.values()) == 0


async def test_http_is_for_opened_networks_alone(receiver: WebhookStandIn) -> None:
    url = f"http://{NAME}:{receiver.port}/hook"

    await channel(names=Names([PUBLIC, "127.0.0.1"])).send(to(url), SALE)
    failed = await failure(channel(names=Names([PUBLIC])), to(url))

    assert len(receiver.messages) == 1
    assert isinstance(failed, PermanentFailure)
    assert failed.reason.startswith("The webhook's address must begin with https://")


async def test_proxies_of_the_environment_are_not_used(
    receiver: WebhookStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", os.devnull)

    await channel().send(to(receiver.url), SALE)

    assert len(receiver.messages) == 1


# --- Names


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "is not known: Name or service"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "can't be looked up just now: Temporary"),
        (UnicodeError("label too long"), "can't be looked up: label too long."),
        (OSError("no more threads"), "can't be looked up: no more threads."),
    ],
    ids=["unknown", "just now", "no name", "another"],
)
async def test_a_name_that_leads_nowhere_is_tried_again(answer: Exception, says: str) -> None:
    failed = await failure(channel(names=Names(answer)), to(f"https://{NAME}/"))

    assert isinstance(failed, TemporaryFailure)
    assert failed.recipient_alone
    assert says in failed.reason


async def test_a_name_server_that_does_not_answer_is_given_up() -> None:
    async def never(_host: str) -> list[Address]:
        await asyncio.Event().wait()
        return []

    sending = WebhookChannel(
        health=Health(), clock=SystemClock(), allowed=LOOPBACK, look_up=never, timeout=SHORT
    )

    failed = await failure(sending, to(f"https://{NAME}/"))

    assert failed.reason == "The webhook did not answer within 0.5 seconds."


async def test_the_systems_resolver_is_asked_once_at_a_time() -> None:
    resolver = Resolver()

    first, second = await asyncio.gather(resolver.look_up("localhost"), resolver.look_up("localhost"))

    assert first == second
    assert ip_address("127.0.0.1") in first or ip_address("::1") in first
    with pytest.raises(OSError, match=r"."):
        await resolver.look_up("nowhere.invalid")


async def test_the_systems_name_of_this_machine_is_refused(receiver: WebhookStandIn) -> None:
    """Where a network is opened, `localhost` passes as a name, and is judged by where it leads."""
    opened = networks_of(["127.0.0.99"])

    failed = await failure(channel(allowed=opened), to(f"https://ip6-allnodes.localhost:{receiver.port}/"))

    assert isinstance(failed, PermanentFailure)


# --- The part


async def test_the_channel_is_up_as_long_as_it_runs() -> None:
    health = Health()
    running = asyncio.create_task(WebhookChannel(health=health, clock=SystemClock()).run())

    await until(lambda: "webhook" in health.parts)
    running.cancel()

    assert health.parts["webhook"].state is State.UP


@pytest.mark.parametrize(
    "fault",
    [Fault.status(500), Fault.status(410), Fault.status(302), Fault.drop(), Fault.unending("headers")],
)
async def test_a_reason_tells_neither_secret_nor_address(receiver: WebhookStandIn, fault: Fault) -> None:
    receiver.faults.add(fault)

    failed = await failure(channel(), to(f"{receiver.url}/T0K3N"))

    assert "T0K3N" not in failed.reason
    assert SECRET not in failed.reason
    assert SECRET not in repr(to(receiver.url))


def test_a_test_is_waited_for_until_a_webhook_that_says_nothing_is_given_up() -> None:
    assert timedelta(seconds=TRIED_WITHIN) > TIMEOUT
