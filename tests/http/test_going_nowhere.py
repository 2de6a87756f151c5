"""An event that no channel can take is accepted as what it is: stored, and going nowhere."""

import pytest

from models import Delivery, Destination, Event, KeyScope
from pingpilot.accounts.keys import KeyRights, create_key
from pingpilot.telemetry.health import State
from tests.support.clock import ManualClock

from .api import SALE, Api, Program

NOWHERE: tuple[str, list[object]] = ("NO_CHANNEL", [])


def standing(body: dict[str, object]) -> tuple[object, object]:
    return body.get("deliveryStatus"), body.get("deliveries")


async def test_an_account_without_channels_is_warned_with_what_to_do(shop: Program) -> None:
    reply = await shop.post()

    assert reply.status == 200
    assert standing(reply.body) == NOWHERE
    assert "goes nowhere: the account has no channel that is switched on" in reply.body["warning"]
    assert "`pingpilot account set shop@example.com --channels email`" in reply.body["warning"]


@pytest.mark.parametrize(("prefer", "more"), [("", set()), ("wait=1", {"deliveryStatus", "deliveries"})])
async def test_an_event_that_goes_somewhere_has_no_warning(api: Api, prefer: str, more: set[str]) -> None:
    mailed = await api.sign_up(channels=["email"])

    reply = await mailed.post(Prefer=prefer)

    assert reply.body.keys() == {"message", "eventId", *more}


@pytest.mark.parametrize("prefer", ["", "wait=1"])
async def test_an_event_for_a_channel_that_lost_its_settings_waits_with_a_warning(
    api: Api, prefer: str
) -> None:
    mailed = await api.sign_up(channels=["email"])
    api.services.health.report("email", State.OFF, "Set PINGPILOT_SMTP_HOST to switch it on.")

    reply = await mailed.post(Prefer=prefer)

    assert reply.body["warning"] == (
        "The event is stored, and waits: this server is not set up for E-mail. "
        "Set PINGPILOT_SMTP_HOST to switch it on."
    )
    assert reply.body.get("deliveryStatus") == ("PENDING" if prefer else None)


async def test_an_event_that_one_of_two_channels_takes_has_no_warning(api: Api) -> None:
    shop = await api.sign_up(channels=["email", "telegram"])
    await shop.link("telegram")
    api.services.health.report("email", State.OFF, "Set PINGPILOT_SMTP_HOST to switch it on.")

    reply = await shop.post()

    assert reply.body.keys() == {"message", "eventId"}


async def test_a_suspended_channel_is_named(api: Api) -> None:
    mailed = await api.sign_up(channels=["email"])
    await Destination.filter(channel="email").update(suspended_reason="No such mailbox.")

    reply = await mailed.post()

    assert standing(reply.body) == NOWHERE
    assert "E-mail is suspended" in reply.body["warning"]


async def test_a_category_whose_channels_cannot_be_used_is_named(api: Api) -> None:
    mailed = await api.sign_up(channels=["email"])
    await mailed.ask("PATCH", "/api/v1/categories/sale", {"channels": ["telegram"]})

    reply = await mailed.post()

    assert standing(reply.body) == NOWHERE
    assert "none of the channels of the category 'sale'" in reply.body["warning"]


async def test_the_accounts_other_channels_are_told_once_a_day(api: Api, clock: ManualClock) -> None:
    mailed = await api.sign_up(channels=["email"])
    await mailed.ask("PATCH", "/api/v1/categories/sale", {"channels": ["telegram"]})

    for _ in range(3):
        await mailed.post()
    first_day = await Event.filter(notice=True).values_list("description", flat=True)
    clock.advance_days(1.1)
    await mailed.post()

    assert len(first_day) == 1
    assert "category 'sale' went nowhere" in first_day[0]
    assert await Delivery.filter(channel="email", event__notice=True).count() == 2


async def test_a_key_that_may_only_send_is_not_told_the_address(shop: Program) -> None:
    rights = KeyRights(KeyScope.SEND)
    _, key = await create_key(shop.account, "sender", shop.api.clock.now(), rights)

    reply = await Program(shop.api, shop.account, key).post()

    assert standing(reply.body) == NOWHERE
    assert "shop@example.com" not in reply.text


@pytest.mark.parametrize("turned_on", [False, True])
async def test_a_replay_tells_of_its_first_request(shop: Program, turned_on: bool) -> None:
    await shop.post(Idempotency_Key="a")
    if turned_on:
        await shop.link("telegram")

    replay = await shop.post(Idempotency_Key="a")

    assert replay.headers["Idempotent-Replayed"] == "true"
    assert standing(replay.body) == NOWHERE


async def test_a_replay_of_what_was_sent_has_no_warning(api: Api) -> None:
    mailed = await api.sign_up(channels=["email"])
    first = await mailed.post(Idempotency_Key="a")
    await Destination.all().update(enabled=False)

    replay = await mailed.post(Idempotency_Key="a")

    assert replay.body == first.body


async def test_who_waits_is_answered_at_once(shop: Program) -> None:
    reply = await shop.post(SALE, Prefer="wait=30")

    assert reply.headers["Preference-Applied"] == "wait=30"
    assert standing(reply.body) == NOWHERE
    assert reply.body["warning"]
