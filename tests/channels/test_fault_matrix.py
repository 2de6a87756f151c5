"""What each fault of a platform means for a delivery: the table of docs/delivery.md, over real sockets.

Each test has one outcome, and the faults that have it by name: `channel: fault`.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from models import Delivery, DeliveryAttempt, Destination, Event
from pingpilot.channels import CHANNELS, DISCORD, EMAIL, TELEGRAM, WEBHOOK
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.sandbox.webhook import WebhookStandIn
from pingpilot.telemetry.health import State
from tests.engine.scripted import WatchedClock
from tests.support.waiting import eventually, until

from .world import ALICE, BOB, World, new_world

ROUTES = {
    DISCORD.name: "POST channels",
    TELEGRAM.name: "sendMessage",
    EMAIL.name: None,
    WEBHOOK.name: "POST ",
}
"""Where a fault that names no stage strikes: where the message is sent."""
FIRST_RETRY = timedelta(seconds=6)
"""About 5 s, and a fifth more at the most."""

UNTRIED: tuple[str, int, list[str]] = ("pending", 0, [])

PASSING = {
    "discord: 503": Fault.status(503),
    "discord: reset": Fault.drop(),
    "discord: reset in mid-answer": Fault.cut(),
    "discord: no answer": Fault.hang(),
    "discord: 403 of a proxy": Fault.page(403),
    "telegram: 500": Fault.status(500),
    "telegram: 503": Fault.status(503),
    "telegram: reset": Fault.drop(),
    "telegram: reset in mid-answer": Fault.cut(),
    "telegram: no answer": Fault.hang(),
    "telegram: 403 of a proxy": Fault.page(403),
    "email: 421 as greeting": Fault.reply("connect", 421, "4.3.2 Busy"),
    "email: 554 as greeting": Fault.reply("connect", 554, "5.3.2 Not today"),
    "email: 421 to EHLO": Fault.reply("ehlo", 421, "4.3.2 Closing"),
    "email: 454 to AUTH": Fault.reply("auth", 454, "4.7.0 Temporary failure"),
    "email: 451 to MAIL": Fault.reply("mail", 451, "4.3.0 Later"),
    "email: 450 to RCPT": Fault.reply("rcpt", 450, "4.2.1 Greylisted"),
    "email: 451 to DATA": Fault.reply("data", 451, "4.3.0 Later"),
    "email: 452 to the message": Fault.reply("message", 452, "4.3.1 Disk full"),
    "email: reset before the greeting": Fault.drop("connect"),
    "email: reset in mid-answer": Fault.cut("rcpt"),
    "email: no answer to RCPT": Fault.hang("rcpt"),
    "email: reset after DATA": Fault.drop("message"),
    "webhook: 404": Fault.status(404),
    "webhook: 401": Fault.status(401),
    "webhook: 500": Fault.status(500),
    "webhook: 429 without a time": Fault.status(429),
    "webhook: redirect": Fault.status(302, headers={"Location": "https://example.com/"}),
    "webhook: reset": Fault.drop(),
    "webhook: no answer": Fault.hang(),
    "webhook: slow headers": Fault.unending("slow headers"),
    "webhook: huge headers": Fault.unending("headers"),
    "webhook: huge answer of 500": Fault.unending("body", 500),
}
TAKEN_IN_SILENCE = {
    "discord: no answer": (Fault.hang(after_accepting=True), 1),
    "discord: reset": (Fault.drop(after_accepting=True), 1),
    "discord: reset in mid-answer": (Fault.cut(after_accepting=True), 1),
    "telegram: no answer": (Fault.hang(after_accepting=True), 2),
    "telegram: reset": (Fault.drop(after_accepting=True), 2),
    "telegram: reset in mid-answer": (Fault.cut(after_accepting=True), 2),
    "email: no answer": (Fault.hang(after_accepting=True), 2),
    "email: reset": (Fault.drop(after_accepting=True), 2),
    "email: reset in mid-answer": (Fault.cut(after_accepting=True), 2),
    "webhook: no answer": (Fault.hang(after_accepting=True), 1),
    "webhook: reset": (Fault.drop(after_accepting=True), 1),
}
REFUSED = {
    "discord: 400": Fault.error(400, "Invalid Form Body", code=50035),
    "discord: 403": Fault.error(403, "Missing Access", code=50001),
    "telegram: 400": Fault.error(400, "Bad Request: can't parse entities"),
    "email: 552 to MAIL": Fault.reply("mail", 552, "5.3.4 Too big"),
    "email: 550 to RCPT": Fault.reply("rcpt", 550, "5.2.1 Mailbox closed for now"),
    "email: 554 to DATA": Fault.reply("data", 554, "5.7.1 Spam"),
    "email: 554 to the message": Fault.reply("message", 554, "5.7.1 Spam"),
}
GONE: dict[str, Fault | Callable[[World], None]] = {
    "discord: DMs closed (50007)": lambda world: world.discord.close_dms(ALICE.on_discord.id, 50007),
    "discord: DMs closed (50278)": lambda world: world.discord.close_dms(ALICE.on_discord.id, 50278),
    "discord: unknown user (10013)": Fault.error(404, "Unknown User", code=10013),
    "discord: unknown channel (10003)": Fault.error(404, "Unknown Channel", code=10003),
    "telegram: bot blocked": lambda world: world.telegram.block(ALICE.on_telegram.id),
    "telegram: user deactivated": lambda world: world.telegram.deactivate(ALICE.on_telegram.id),
    "telegram: chat not found": Fault.error(400, "Bad Request: chat not found"),
    "telegram: chat migrated": lambda world: world.telegram.migrate(ALICE.on_telegram.id, -1001234567890),
    "email: 550 5.1.1 to RCPT": lambda world: world.mail.refuse_recipient("alice@example.com"),
    "email: 550 5.1.2 to RCPT": Fault.reply("rcpt", 550, "5.1.2 No such domain"),
    "email: 550 User unknown": Fault.reply("rcpt", 550, "User unknown"),
    "email: 550 Unrouteable address": Fault.reply("rcpt", 550, "Unrouteable address"),
    "webhook: 410": Fault.status(410),
}
WAITED_FOR: dict[str, tuple[Fault, float]] = {
    "discord: 429 of a conversation": (Fault.status(429, retry_after=75.5), 75.5),
    "discord: 429 without a time": (Fault.status(429), 5),
    "telegram: 429 of a chat": (Fault.status(429, retry_after=7), 7),
    "telegram: 429 without a time": (Fault.status(429), 5),
}
GLOBAL = {"X-RateLimit-Global": "true"}
COUNTED_AND_WAITED_FOR: dict[str, tuple[Fault, float]] = {
    "webhook: 429": (Fault.status(429, retry_after=77), 77),
    "webhook: 503 with a date": (
        Fault.status(503, headers={"Retry-After": "Mon, 23 Nov 2026 12:20:00 GMT"}),
        20 * 60,
    ),
    "webhook: 429 for a day": (Fault.status(429, retry_after=86400), 60 * 60),
}
WAITED_FOR_BY_ALL: dict[str, tuple[Fault, float]] = {
    "discord: global 429": (Fault.status(429, retry_after=2.5, headers=GLOBAL), 2.5),
    "discord: long global 429": (Fault.status(429, retry_after=600, headers=GLOBAL), 600),
    "discord: global 429 by its body": (
        Fault.status(429, body={"message": "Slow down.", "global": True, "retry_after": 7}),
        7,
    ),
    "discord: global 429 without a time": (Fault.status(429, headers=GLOBAL), 5),
    "discord: 429 of Cloudflare": (Fault.status(429, retry_after=3, headers={"Via": ""}), 3),
}
MISCONFIGURED: dict[str, Fault | Callable[[World], None]] = {
    "discord: token revoked": lambda world: setattr(world.discord, "token", "another"),
    "telegram: token revoked": lambda world: world.telegram.revoke_token(),
    "email: wrong password": lambda world: setattr(world.mail, "password", "another"),
    "email: 502 to EHLO": Fault.reply("ehlo", 502, "5.5.1 What?"),
    "email: 550 to AUTH": Fault.reply("auth", 550, "5.7.1 Account disabled"),
    "email: 530 to MAIL": Fault.reply("mail", 530, "5.7.0 Log in first"),
    "email: 550 to MAIL": Fault.reply("mail", 550, "5.7.1 You may not send as this"),
    "email: 550 5.1.8 to RCPT": Fault.reply("rcpt", 550, "5.1.8 No such sender"),
    "email: client refused at RCPT": Fault.reply(
        "rcpt", 554, "5.7.1 <box[192.0.2.7]>: Client host rejected: Access denied"
    ),
    "email: access denied at RCPT": Fault.reply(
        "rcpt", 554, "5.7.1 <alice@example.com>: Recipient address rejected: Access denied"
    ),
    "email: sender refused at RCPT": Fault.reply(
        "rcpt", 553, "5.7.1 <ping@example.com>: Sender address rejected: not owned by user ping"
    ),
    "email: relay denied at RCPT": Fault.reply("rcpt", 554, "5.7.1 <alice@example.com>: Relay access denied"),
    "email: relay not permitted at RCPT": Fault.reply("rcpt", 550, "relay not permitted"),
    "email: HELO refused at RCPT": Fault.reply(
        "rcpt", 504, "5.5.2 <box>: Helo command rejected: need fully-qualified hostname"
    ),
    "email: HELO refused": Fault.reply("ehlo", 504, "5.5.2 Helo command rejected"),
    "email: sender refused after the message": Fault.reply(
        "message", 550, "5.7.60 SMTP; Client does not have permissions to send as this sender"
    ),
    "email: sending limit": Fault.reply("rcpt", 550, "5.4.5 Daily user sending limit exceeded"),
}


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
async def world(
    *,
    sqlite: str,
    clock: WatchedClock,
    discord_stand_in: DiscordStandIn,
    telegram_stand_in: TelegramStandIn,
    mail_stand_in: MailStandIn,
    webhook_stand_in: WebhookStandIn,
) -> World:
    telegram_stand_in.chat_limit = None
    webhook_stand_in.now = clock.now
    return await new_world(
        discord_stand_in, telegram_stand_in, mail_stand_in, clock, webhook=webhook_stand_in
    )


def patience_with(fault: Fault) -> timedelta:
    """Return how long to wait for an answer, given that none may come."""
    return timedelta(seconds=1 if fault.action in ("hang", "endless") else 20)


def channel_of(case: str) -> str:
    return case.partition(":")[0]


def happens(
    world: World, case: str, what: Fault | Callable[[World], None], *, times: int | None = None
) -> None:
    """Let a fault strike the next message of its channel, or a platform change its mind."""
    if not isinstance(what, Fault):
        what(world)
        return
    name = channel_of(case)
    world.stand_in(name).faults.add(what, times=times or 1, route=what.stage or ROUTES[name])


async def delivery(case: str) -> Delivery:
    """Return the first delivery of the case's channel."""
    found = await Delivery.filter(channel=channel_of(case)).order_by("id").first()
    assert found is not None
    return found


async def standing(case: str) -> tuple[str, int, list[str]]:
    """Return the delivery's status, the attempts charged to it, and how each that was made ended."""
    row = await delivery(case)
    history = await DeliveryAttempt.filter(delivery_id=row.id).order_by("id")
    return row.status, row.attempts, [attempt.outcome for attempt in history]


async def suspended() -> list[str]:
    """Return the channels that are suspended."""
    return [row.channel for row in await Destination.filter(suspended_reason__isnull=False)]


async def told() -> list[str]:
    """Return what the owner was told."""
    return [event.description for event in await Event.filter(notice=True)]


@pytest.mark.parametrize("case", PASSING)
async def test_it_counts_and_is_tried_again_after_5_s(world: World, clock: WatchedClock, case: str) -> None:
    happens(world, case, PASSING[case])
    await world.post("Sold!")

    async with world.dispatching(channel_of(case), patience=patience_with(PASSING[case])):
        await eventually(lambda: standing(case), ("pending", 1, ["retry"]))
        due = (await delivery(case)).next_attempt_at
        clock.advance(FIRST_RETRY)
        await eventually(lambda: standing(case), ("delivered", 2, ["retry", "delivered"]))

    assert due is not None
    assert timedelta(seconds=4) <= due - (clock.now() - FIRST_RETRY) <= FIRST_RETRY
    assert world.received(channel_of(case)) == 1
    assert (await suspended(), await told()) == ([], [])


@pytest.mark.parametrize("name", CHANNELS)
async def test_a_platform_that_refuses_connections_is_tried_again_after_5_s(
    world: World, clock: WatchedClock, name: str
) -> None:
    await world.stand_in(name).stop()
    await world.post("Sold!")

    async with world.dispatching(name):
        await eventually(lambda: standing(name), ("pending", 1, ["retry"]))
        await world.stand_in(name).start()
        clock.advance(FIRST_RETRY)
        await eventually(lambda: standing(name), ("delivered", 2, ["retry", "delivered"]))

    assert world.received(name) == 1
    assert (await suspended(), await told()) == ([], [])


@pytest.mark.parametrize("case", TAKEN_IN_SILENCE)
async def test_what_was_taken_without_an_answer_is_sent_again(
    world: World, clock: WatchedClock, case: str
) -> None:
    fault, arrivals = TAKEN_IN_SILENCE[case]
    happens(world, case, fault)
    await world.post("Sold!")

    async with world.dispatching(channel_of(case), patience=patience_with(fault)):
        await eventually(lambda: standing(case), ("pending", 1, ["retry"]))
        clock.advance(FIRST_RETRY)
        await eventually(lambda: standing(case), ("delivered", 2, ["retry", "delivered"]))

    assert world.received(channel_of(case)) == arrivals
    assert len({mail.raw for mail in world.mail.mails}) <= 1  # one Message-ID: mail programs show one


@pytest.mark.parametrize("case", REFUSED)
async def test_it_fails_at_once_and_harms_no_other(world: World, case: str) -> None:
    happens(world, case, REFUSED[case])
    await world.post("Sold!")

    async with world.dispatching(channel_of(case)):
        outcome = "refused" if "RCPT" in case else "failed"
        await eventually(lambda: standing(case), ("failed", 1, [outcome]))
        await world.post("Sold again!")
        await until(lambda: world.received(channel_of(case)) == 1)

    assert (await suspended(), await told()) == ([], [])


@pytest.mark.parametrize("case", GONE)
async def test_it_fails_at_once_suspends_the_channel_and_the_owner_is_told(world: World, case: str) -> None:
    happens(world, case, GONE[case])
    name = channel_of(case)
    others = [other for other in CHANNELS if other != name]
    await world.post("Sold!")

    async with world.dispatching():
        await eventually(lambda: standing(case), ("failed", 1, ["failed"]))
        for other in others:  # a notice goes to direct destinations
            await until(lambda other=other: world.received(other) == 1 + CHANNELS[other].has_direct)  # type: ignore[misc]
        await world.post("Sold again!")
        for other in others:
            await until(lambda other=other: world.received(other) == 2 + CHANNELS[other].has_direct)  # type: ignore[misc]

    [notice] = await told()
    label = CHANNELS[name].label
    what = f"{label} is" if CHANNELS[name].has_direct else f"The destination 'program' ({label}) is"
    assert notice.startswith(f"{what} suspended")
    assert await suspended() == [name]
    assert world.received(name) == 0


@pytest.mark.parametrize("case", WAITED_FOR)
async def test_it_does_not_count_and_its_recipient_alone_waits(
    world: World, clock: WatchedClock, case: str
) -> None:
    fault, seconds = WAITED_FOR[case]
    happens(world, case, fault)
    await world.post("Sold!")

    async with world.dispatching(channel_of(case)):
        await eventually(lambda: standing(case), ("pending", 0, ["rate_limited"]))
        due = (await delivery(case)).next_attempt_at
        await world.post("Sold!", account=await world.another_account(BOB))
        await until(lambda: world.received(channel_of(case)) == 1)
        before = await standing(case)
        clock.advance_seconds(seconds)
        await eventually(lambda: standing(case), ("delivered", 1, ["rate_limited", "delivered"]))

    assert due == clock.now()
    assert before == ("pending", 0, ["rate_limited"])
    assert (await suspended(), await told()) == ([], [])


@pytest.mark.parametrize("case", COUNTED_AND_WAITED_FOR)
async def test_it_counts_and_is_tried_again_after_the_time_named(
    world: World, clock: WatchedClock, case: str
) -> None:
    fault, seconds = COUNTED_AND_WAITED_FOR[case]
    happens(world, case, fault)
    await world.post("Sold!")

    async with world.dispatching(channel_of(case)):
        await eventually(lambda: standing(case), ("pending", 1, ["retry"]))
        due = (await delivery(case)).next_attempt_at
        await world.post("Sold!", account=await world.another_account(BOB))
        await until(lambda: world.received(channel_of(case)) == 1)
        clock.advance_seconds(seconds)
        await eventually(lambda: standing(case), ("delivered", 2, ["retry", "delivered"]))

    assert due == clock.now()
    assert (await suspended(), await told()) == ([], [])


@pytest.mark.parametrize("case", WAITED_FOR_BY_ALL)
async def test_it_does_not_count_and_the_whole_channel_waits(
    world: World, clock: WatchedClock, case: str
) -> None:
    fault, seconds = WAITED_FOR_BY_ALL[case]
    happens(world, case, fault)
    await world.post("Sold!")
    bob = await world.another_account(BOB)

    async with world.dispatching(channel_of(case)):
        await eventually(lambda: standing(case), ("pending", 0, ["rate_limited"]))
        await world.post("Sold!", account=bob)
        await clock.wait_for_looks()
        clock.advance_seconds(seconds - 0.1)
        await clock.wait_for_looks()
        before = world.received(channel_of(case))
        clock.advance_seconds(0.1)
        await until(lambda: world.received(channel_of(case)) == 2)
        await eventually(lambda: standing(case), ("delivered", 1, ["rate_limited", "delivered"]))

    assert before == 0
    assert world.stand_in(channel_of(case)).faults.taken == 1


@pytest.mark.parametrize("case", MISCONFIGURED)
async def test_it_pauses_the_channel_fails_nothing_and_goes_on_once_mended(
    world: World, clock: WatchedClock, case: str
) -> None:
    name = channel_of(case)
    mended = (world.discord.token, world.telegram.token, world.mail.password)
    happens(world, case, MISCONFIGURED[case], times=1000)

    async def half_a_minute_later() -> tuple[str, int, list[str]]:
        clock.advance_seconds(30)
        return await standing(case)

    await world.post("Sold!")

    async with world.dispatching(name):
        await until(lambda: name in world.health.parts)
        paused = world.health.parts[name]
        for _ in range(20):  # half a day
            clock.advance(timedelta(minutes=36))
            await clock.wait_for_looks(6)
        await eventually(lambda: standing(case), UNTRIED)
        reason = (await delivery(case)).last_error
        world.stand_in(name).faults.clear()
        world.discord.token, world.telegram.token, world.mail.password = mended
        await eventually(half_a_minute_later, ("delivered", 1, ["delivered"]))

    shown_to_all = (reason or "").replace("alice@example.com", "[recipient]")
    assert (paused.state, paused.reason) == (State.PAUSED, shown_to_all)
    assert world.health.parts[name].state is not State.PAUSED
    assert (await suspended(), await told()) == ([], [])
