"""`GET` and `PATCH /api/v1/account`."""

from datetime import timedelta
from typing import Any

import pytest

from models import Delivery, DeliveryStatus, Destination
from pingpilot.accounts.quiet_hours import mute
from pingpilot.telemetry.health import State

from .api import ON_SQLITE, SALE, Api, Program

ACCOUNT = "/api/v1/account"
NIGHT = {"from": "22:00", "until": "07:00", "silently": False}
UNTOUCHED = {"suspendedReason": None, "quietHours": None, "mutedUntil": None}
WRONG: list[tuple[Any, list[str]]] = [
    ({"timeZone": "Mars"}, ["timeZone"]),
    ({"timeZone": "../UTC"}, ["timeZone"]),
    ({"timeZone": None}, ["timeZone"]),
    ({"combine": 1}, ["combine"]),
    ({"combine": None}, ["combine"]),
    ({"email": "other@example.com"}, ["email"]),
    ({"plan": "enterprise"}, ["plan"]),
    ({"channels": ["email"]}, ["channels"]),
    ({"channels": None}, ["channels"]),
    ({"channels": {"pigeon": {"enabled": True}}}, ["channels.pigeon"]),
    ({"channels": {"webhook": {"enabled": True}}}, ["channels.webhook"]),
    ({"channels": {"email": True}}, ["channels.email"]),
    ({"channels": {"email": {"enabled": "on"}}}, ["channels.email.enabled"]),
    ({"channels": {"email": {"enabled": None}}}, ["channels.email.enabled"]),
    ({"channels": {"email": {"address": "x@example.com"}}}, ["channels.email.address"]),
    ({"channels": {"email": {"quietHours": "22:00-07:00"}}}, ["channels.email.quietHours"]),
    ({"channels": {"email": {"quietHours": {"from": "22:00"}}}}, ["channels.email.quietHours.until"]),
    (
        {"channels": {"email": {"quietHours": {"from": "24:00", "until": "7:00"}}}},
        ["channels.email.quietHours.from", "channels.email.quietHours.until"],
    ),
    (
        {"channels": {"email": {"quietHours": {"from": "22:00", "until": "22:00"}}}},
        ["channels.email.quietHours.until"],
    ),
    (
        {"channels": {"email": {"quietHours": {**NIGHT, "silently": 1}}}},
        ["channels.email.quietHours.silently"],
    ),
    ({"combine": "x", "timeZone": "x", "more": 1}, ["combine", "more", "timeZone"]),
]


async def channels(program: Program) -> dict[str, dict[str, Any]]:
    """Return the account's channels as shown, by name."""
    shown = (await program.get(ACCOUNT)).body["channels"]
    return {each["channel"]: each for each in shown}


async def test_the_account_is_shown_with_its_channels(api: Api) -> None:
    shop = await api.sign_up(channels=["telegram", "email"])
    await Destination.link(
        shop.account.id, "telegram", address="5", user_id="5550001111", username="alice", at=api.clock.now()
    )

    reply = await shop.get(ACCOUNT)

    assert reply.status == 200
    assert reply.body == {
        "email": "shop@example.com",
        "plan": "free",
        "timeZone": "UTC",
        "combine": True,
        "createdAt": "2026-11-23T12:00:00.000Z",
        "channels": [
            {"channel": "discord", "enabled": False, "linked": False, "address": None, **UNTOUCHED},
            {"channel": "telegram", "enabled": True, "linked": True, "address": "alice", **UNTOUCHED},
            {"channel": "email", "enabled": True, "linked": True, "address": "shop@example.com", **UNTOUCHED},
        ],
    }


@ON_SQLITE
async def test_of_a_chat_without_a_name_only_the_end_of_the_users_id_is_shown(shop: Program) -> None:
    await Destination.link(
        shop.account.id, "discord", address="99", user_id="5550001111", username=None, at=shop.api.clock.now()
    )

    reply = await shop.get(ACCOUNT)

    assert reply.body["channels"][0]["address"] == "…1111"
    assert "5550001111" not in reply.text


@ON_SQLITE
async def test_a_mute_is_shown_until_it_is_over(shop: Program) -> None:
    now = shop.api.clock.now()
    await mute(shop.account, "telegram", now + timedelta(hours=2), now=now)

    muted = await channels(shop)
    shop.api.clock.advance(timedelta(hours=2))
    over = await channels(shop)
    shop.api.clock.set_by(-timedelta(days=90))  # and so it was ahead when the mute began
    not_believed = await channels(shop)

    assert muted["telegram"]["mutedUntil"] == "2026-11-23T14:00:00.000Z"
    assert over["telegram"]["mutedUntil"] is None
    assert not_believed["telegram"]["mutedUntil"] is None


@pytest.mark.parametrize(
    "change", [{"timeZone": "Europe/Berlin"}, {"combine": False}, {"combine": True, "timeZone": "UTC"}, {}]
)
async def test_only_what_is_sent_changes(shop: Program, change: dict[str, Any]) -> None:
    before = (await shop.get(ACCOUNT)).body

    reply = await shop.ask("PATCH", ACCOUNT, change)

    assert reply.status == 200
    assert reply.body == before | change
    assert (await shop.get(ACCOUNT)).body == reply.body


async def test_channels_are_switched_on_and_off_each_by_itself(api: Api) -> None:
    shop = await api.sign_up(channels=["telegram"])

    await shop.ask(
        "PATCH", ACCOUNT, {"channels": {"discord": {"enabled": True}, "telegram": {"enabled": False}}}
    )

    enabled = {name: each["enabled"] for name, each in (await channels(shop)).items()}
    refused = await shop.post(SALE)
    assert enabled == {"discord": True, "telegram": False, "email": False}
    assert refused.verdict == (403, "discord_id_not_set")


async def test_switching_a_channel_on_lifts_its_suspension(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    await Destination.suspend(shop.account.id, "email", address=shop.account.email, reason="No mailbox.")
    suspended = await channels(shop)

    await shop.ask("PATCH", ACCOUNT, {"channels": {"email": {"enabled": True}}})

    assert suspended["email"]["suspendedReason"] == "No mailbox."
    assert (await channels(shop))["email"]["suspendedReason"] is None


@ON_SQLITE
async def test_what_does_not_switch_a_channel_leaves_it_suspended(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    await Destination.suspend(shop.account.id, "email", address=shop.account.email, reason="No mailbox.")

    await shop.ask("PATCH", ACCOUNT, {"channels": {"email": {"quietHours": NIGHT}, "discord": {}}})

    assert (await channels(shop))["email"]["suspendedReason"] == "No mailbox."


async def test_quiet_hours_are_set_and_taken_away(shop: Program) -> None:
    whole = await shop.ask("PATCH", ACCOUNT, {"channels": {"telegram": {"quietHours": NIGHT}}})
    silent = {"from": "09:30", "until": "10:00", "silently": True}
    await shop.ask("PATCH", ACCOUNT, {"channels": {"email": {"quietHours": silent}, "telegram": {}}})
    both = await channels(shop)
    await shop.ask("PATCH", ACCOUNT, {"channels": {"telegram": {"quietHours": None}}})
    one = await channels(shop)

    assert whole.body["channels"][1]["quietHours"] == NIGHT
    assert (both["telegram"]["quietHours"], both["email"]["quietHours"]) == (NIGHT, silent)
    assert (one["telegram"]["quietHours"], one["email"]["quietHours"]) == (None, silent)


@pytest.mark.parametrize(
    "change", [{"channels": {"email": {"quietHours": None}}}, {"timeZone": "Asia/Tokyo"}], ids=str
)
async def test_what_waits_for_the_hours_to_end_is_looked_at_anew_when_they_change(
    api: Api, change: dict[str, Any]
) -> None:
    shop = await api.sign_up(channels=["email"])
    await shop.post(SALE)
    later = api.clock.now() + timedelta(hours=9)
    await Delivery.all().update(status=DeliveryStatus.HELD, next_attempt_at=later)

    await shop.ask("PATCH", ACCOUNT, {"combine": False})
    untouched = (await Delivery.get()).next_attempt_at
    await shop.ask("PATCH", ACCOUNT, change)

    assert untouched == later
    assert (await Delivery.get()).next_attempt_at == api.clock.now()


@ON_SQLITE
@pytest.mark.parametrize(("body", "faults"), WRONG, ids=str)
async def test_a_wrong_member_is_named_and_changes_nothing(
    shop: Program, body: dict[str, Any], faults: list[str]
) -> None:
    before = (await shop.get(ACCOUNT)).body
    good = {"combine": False, "timeZone": "Asia/Tokyo"}

    reply = await shop.ask("PATCH", ACCOUNT, good | body)

    assert reply.verdict == (422, "validation_error")
    assert sorted(reply.faults) == faults
    assert (await shop.get(ACCOUNT)).body == before


@ON_SQLITE
async def test_a_channel_the_server_is_not_set_up_for_is_only_switched_off(api: Api) -> None:
    shop = await api.sign_up(channels=["discord"])
    api.services.health.report("discord", State.OFF, "Set PINGPILOT_DISCORD_TOKEN to switch it on.")

    on = await shop.ask("PATCH", ACCOUNT, {"combine": False, "channels": {"discord": {"enabled": True}}})
    kept = (await shop.get(ACCOUNT)).body
    off = await shop.ask("PATCH", ACCOUNT, {"channels": {"discord": {"enabled": False}}})

    assert on.verdict == (409, "channel_not_configured")
    assert "Discord" in on.body["message"]
    assert kept["combine"]
    assert off.status == 200
    assert (await shop.post()).status == 200


@ON_SQLITE
async def test_another_accounts_channels_stay(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com", channels=["email"])
    before = (await bakery.get(ACCOUNT)).body

    await shop.ask("PATCH", ACCOUNT, {"combine": False, "channels": {"email": {"quietHours": NIGHT}}})

    assert (await bakery.get(ACCOUNT)).body == before


@ON_SQLITE
async def test_a_channel_without_a_direct_destination_is_told_as_such(shop: Program) -> None:
    reply = await shop.ask("PATCH", ACCOUNT, {"channels": {"webhook": {"enabled": False}}})

    assert reply.status == 422
    assert "has no direct destination: choose from discord, telegram, email." in str(reply.body["errors"])
    assert "webhook" not in await channels(shop)
