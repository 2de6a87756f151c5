"""From an accepted event to a webhook: secrets that are valid, each event by itself, no harm to others."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from models import Account, Delivery, Destination
from models.api_key import LONGEST_OVERLAP
from pingpilot.accounts.accounts import set_combine
from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.channels import WEBHOOK
from pingpilot.events.notices import post_notice
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.sandbox.webhook import WebhookStandIn
from tests.support.clock import ManualClock
from tests.support.waiting import eventually, until

from .world import ALICE, BOB, Person, World, new_world


@pytest.fixture
async def world(
    *,
    database: str,
    clock: ManualClock,
    discord_stand_in: DiscordStandIn,
    telegram_stand_in: TelegramStandIn,
    mail_stand_in: MailStandIn,
    webhook_stand_in: WebhookStandIn,
) -> World:
    webhook_stand_in.now = clock.now
    return await new_world(
        discord_stand_in, telegram_stand_in, mail_stand_in, clock, webhook=webhook_stand_in
    )


async def standings() -> list[tuple[str, int]]:
    """Return the webhooks' deliveries, oldest first: how each stands, and the attempts charged to it."""
    return [
        (each.status, each.attempts) for each in await Delivery.filter(channel=WEBHOOK.name).order_by("id")
    ]


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


ROTATED: dict[str, tuple[timedelta | None, int]] = {
    "within the overlap": (minutes(1), 2),
    "at its end": (minutes(0), 1),
    "after it": (minutes(-1), 1),
    "without an end": (None, 1),
    "by a clock ahead": (LONGEST_OVERLAP + minutes(2), 1),
}


@pytest.mark.parametrize("case", ROTATED)
async def test_a_former_secret_signs_as_long_as_it_is_valid(
    world: World, webhook_stand_in: WebhookStandIn, case: str
) -> None:
    left, signatures = ROTATED[case]
    until_when: datetime | None = None if left is None else world.clock.now() + left
    new = new_webhook_secret()
    await Destination.filter(channel=WEBHOOK.name).update(
        secret=new, former_secret=webhook_stand_in.secrets[0], former_secret_until=until_when
    )
    webhook_stand_in.secrets.append(new)

    await world.post("Sold!")
    async with world.dispatching(WEBHOOK.name):
        await eventually(standings, [("delivered", 1)])

    assert webhook_stand_in.messages[0].signatures == signatures


async def test_a_receiver_that_has_another_secret_gets_it_once_that_is_mended(
    world: World, clock: ManualClock, webhook_stand_in: WebhookStandIn
) -> None:
    own, webhook_stand_in.secrets = webhook_stand_in.secrets, [new_webhook_secret()]
    await world.post("Sold!")

    async with world.dispatching(WEBHOOK.name):
        await eventually(standings, [("pending", 1)])
        [row] = await Delivery.filter(channel=WEBHOOK.name)
        webhook_stand_in.secrets = own
        clock.advance_seconds(6)
        await eventually(standings, [("delivered", 2)])

    assert row.last_error is not None
    assert row.last_error.startswith("The webhook answered 401 Unauthorized")


async def test_each_event_comes_by_itself_and_whole_however_many_wait(
    world: World, webhook_stand_in: WebhookStandIn
) -> None:
    await set_combine(world.alice, True)
    for number in range(8):
        await world.post(f"Order {number}", fields={"z": number, "a": True, "m": 12345678901234567890})

    async with world.dispatching(WEBHOOK.name):
        await eventually(standings, [("delivered", 1)] * 8)

    data: list[Any] = [each.payload["data"] for each in webhook_stand_in.messages]
    assert [each["description"] for each in data] == [f"Order {number}" for number in range(8)]
    assert [[*each["fields"].items()] for each in data] == [
        [("z", number), ("a", True), ("m", 12345678901234567890)] for number in range(8)
    ]


async def test_a_notice_for_it_comes_with_a_type_of_its_own(
    world: World, webhook_stand_in: WebhookStandIn
) -> None:
    await post_notice(world.alice.id, "A test.", only="program", now=world.clock.now())

    async with world.dispatching(WEBHOOK.name):
        [message] = await webhook_stand_in.wait_for_messages()

    assert message.payload["type"] == "notice.created"
    assert message.payload["data"]["description"] == "A test."


async def test_what_others_need_not_know_is_no_notice_there(world: World) -> None:
    await post_notice(world.alice.id, "A chat was linked.", now=world.clock.now())

    assert await Delivery.filter(channel=WEBHOOK.name).count() == 0


async def test_receivers_that_fail_hold_back_no_other(world: World, webhook_stand_in: WebhookStandIn) -> None:
    """As many as would open the breaker of a platform that is away."""
    for number in range(6):
        account = await _person_with_webhook(world, number)
        webhook_stand_in.faults.add(Fault.status(503), times=None, route=f"/{account.id}")
        await world.post("Sold!", account=account)
    async with world.dispatching(WEBHOOK.name):
        await eventually(standings, [("pending", 1)] * 6)
        await world.post("Sold!")
        await until(lambda: len(webhook_stand_in.messages) == 1)


@pytest.mark.parametrize("status", [204, 302, 410, 503])
async def test_the_log_tells_neither_secret_nor_address(
    world: World, webhook_stand_in: WebhookStandIn, status: int
) -> None:
    [row] = await Destination.filter(channel=WEBHOOK.name)
    await Destination.filter(id=row.id).update(address=f"{row.address}/T0K3N?key=T0K3N")
    webhook_stand_in.faults.add(Fault.status(status))
    await world.post("Sold!")

    with capture_logs() as records:
        async with world.dispatching(WEBHOOK.name):
            await until(lambda: webhook_stand_in.faults.taken == 1 and bool(records))

    [delivery] = await Delivery.filter(channel=WEBHOOK.name)
    told = f"{records} {delivery.last_error}"
    assert "Delivery " in told
    assert "T0K3N" not in told
    assert not any(secret in told for secret in webhook_stand_in.secrets)


async def test_a_private_address_fails_at_once_and_the_destination_is_suspended_after_three_days(
    world: World, clock: ManualClock, webhook_stand_in: WebhookStandIn
) -> None:
    url = f"https://10.0.0.1:{webhook_stand_in.port}/"
    await Destination.filter(channel=WEBHOOK.name).update(address=url)

    async with world.dispatching(WEBHOOK.name):
        for day in range(3):
            await world.post("Sold!")
            await eventually(standings, [("failed", 1)] * (day + 1))
            clock.advance_days(1)

    [row] = await Destination.filter(channel=WEBHOOK.name)
    assert row.suspended_reason is not None
    assert row.suspended_reason.startswith("A webhook can't lead to a private address")
    assert sum(webhook_stand_in.calls.values()) == 0


async def _person_with_webhook(world: World, number: int) -> Account:
    discord, telegram = BOB.on_discord, BOB.on_telegram
    person = Person(
        type(discord)(f"{int(discord.id) + number}", f"{discord.name}{number}"),
        type(telegram)(telegram.id + number, f"{telegram.username}{number}", "Bob"),
    )
    assert person != ALICE
    return await world.another_account(person)
