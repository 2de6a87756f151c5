"""The places an account's events go to, listed, added, changed, tried and removed with its key."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from models import Account, Delivery, DeliveryStatus, Destination, Event
from pingpilot.accounts.destinations import MOST_DESTINATIONS
from pingpilot.accounts.linking import ChatUser
from pingpilot.accounts.rooms import Room, link_room
from pingpilot.events.notices import MOST_TESTS, post_test
from pingpilot.telemetry.health import State
from tests.support.mailer import Mailer
from tests.support.waiting import eventually

from .api import ON_SQLITE, Api, Program

pytestmark = ON_SQLITE  # the rules have tests on both databases

PATH = "/api/v1/destinations"
TEAM = {"name": "team", "channel": "email", "address": "Team@Example.com"}


@pytest.fixture
def mailer(api: Api) -> Mailer:
    """What sends the API's mails."""
    return api.mailer


@asynccontextmanager
async def a_platform(**outcome: Any) -> AsyncIterator[None]:
    """Settle the next delivery as a daemon would."""
    last = await Delivery.all().order_by("-id").first()
    following = Delivery.filter(id__gt=last.id if last else 0)

    async def is_settled() -> bool:
        return bool(await following.update(**outcome))

    settling = asyncio.create_task(eventually(is_settled, True))
    yield
    await settling


async def room(program: Program, name: str = "ops", *, channel: str = "discord") -> None:
    """Link a room to the program's account."""
    code = await program.ask("POST", "/api/v1/link-codes", {"room": name})
    assert code.status == 201
    place = Room(channel, f"-{len(name)}{ord(name[0])}", f"{name} room")
    who = ChatUser(channel, "4711", "grace")
    await link_room(who, place, code.body["code"], now=program.api.clock.now())


def confirming(mailer: Mailer) -> str:
    """Return the path of the link in the last mail."""
    link = re.search(r"/confirm-mailbox/\S+", mailer.sent[-1][1])
    assert link
    return link[0]


def unsubscribing(program: Program, address: str, name: str = "team") -> str:
    """Return the path of the link in a mailbox's mails."""
    url = program.api.services.unsubscriber.url_for(program.account.id, name, address)
    return url.removeprefix("http://localhost")


async def names(program: Program) -> list[str]:
    return [each["name"] for each in (await program.get(PATH)).body["destinations"]]


async def test_a_fresh_account_has_the_direct_ones(shop: Program) -> None:
    reply = await shop.get(PATH)

    assert reply.status == 200
    listed = reply.body["destinations"]
    assert [(each["name"], each["kind"]) for each in listed] == [
        ("discord", "direct"),
        ("telegram", "direct"),
        ("email", "direct"),
    ]
    assert listed[2] == {
        "name": "email",
        "channel": "email",
        "kind": "direct",
        "title": None,
        "address": "shop@example.com",
        "enabled": False,
        "linked": True,
        "usable": False,
        "suspendedReason": None,
        "quietHours": None,
        "mutedUntil": None,
        "mention": None,
        "linkedAt": None,
    }


async def test_a_room_is_shown_without_its_id(shop: Program) -> None:
    await room(shop)

    shown = (await shop.get(f"{PATH}/ops")).body

    assert (shown["kind"], shown["title"], shown["address"], shown["usable"]) == (
        "room",
        "ops room",
        "…4711",
        True,
    )


async def test_a_room_causes_no_403_and_gets_the_events(shop: Program) -> None:
    await room(shop)

    reply = await shop.post()

    assert (reply.status, reply.body.get("warning")) == (200, None)
    delivery = await Delivery.get()
    assert (delivery.channel, delivery.destination) == ("discord", "ops")
    event = (await shop.get(f"/api/v1/events/{reply.body['eventId']}")).body
    assert event["deliveries"][0]["destination"] == "ops"


async def test_a_room_beside_a_direct_chat_that_is_on_and_not_linked_still_gets_a_403(shop: Program) -> None:
    await room(shop)
    await shop.ask("PATCH", "/api/v1/account", {"channels": {"discord": {"enabled": True}}})

    assert (await shop.post()).verdict == (403, "discord_id_not_set")
    await shop.ask("PATCH", f"{PATH}/discord", {"enabled": False})
    assert (await shop.post()).status == 200


async def test_a_mailbox_gets_nothing_before_it_is_confirmed(shop: Program, mailer: Mailer) -> None:
    added = await shop.ask("POST", PATH, TEAM)
    before = await shop.post()
    [(to, text)] = mailer.sent
    link = re.search(r"/confirm-mailbox/\S+", text)
    assert link
    asked = await shop.api.call("GET", link[0])
    still = await Destination.get(name="team")
    done, used = sorted(
        await asyncio.gather(*(shop.api.call("POST", link[0]) for _ in range(2))),
        key=lambda page: "already" in page.text,
    )
    after = await shop.post()

    assert (added.status, added.headers["Location"], to) == (201, f"{PATH}/team", "team@example.com")
    assert (added.body["linked"], added.body["address"]) == (False, "team@example.com")
    assert "secret" not in added.body
    assert before.body["deliveryStatus"] == "NO_CHANNEL"
    assert (asked.status, "Get notifications here?" in asked.text, still.address) == (200, True, None)
    assert (done.status, "come here now" in done.text) == (200, True)
    assert (used.status, "confirmed already" in used.text) == (200, True)
    assert "warning" not in after.body
    assert (await Delivery.get()).destination == "team"


async def test_the_link_of_a_removed_mailbox_is_worth_nothing(shop: Program, mailer: Mailer) -> None:
    await shop.ask("POST", PATH, TEAM)
    link = re.search(r"/confirm-mailbox/\S+", mailer.sent[0][1])
    assert link
    await shop.ask("DELETE", f"{PATH}/team")

    assert (await shop.api.call("GET", link[0])).status == 404
    assert (await shop.api.call("POST", link[0] + "0")).status == 404


async def test_a_link_from_a_clock_that_was_ahead_confirms_no_longer_than_a_day(
    shop: Program, mailer: Mailer
) -> None:
    shop.api.clock.set_by(timedelta(days=3))
    await shop.ask("POST", PATH, TEAM)
    shop.api.clock.set_by(-timedelta(days=3))

    assert (await shop.api.call("POST", confirming(mailer))).status == 404


async def test_a_mailbox_whose_mail_can_not_be_sent_is_not_added(shop: Program, mailer: Mailer) -> None:
    mailer.refusal = "No such mailbox."

    reply = await shop.ask("POST", PATH, TEAM)

    assert reply.verdict == (502, "confirmation_not_sent")
    assert "No such mailbox." in reply.body["message"]
    assert "team" not in await names(shop)


async def test_an_account_can_not_pester_people(shop: Program, mailer: Mailer) -> None:
    for number in range(10):
        assert (await shop.ask("POST", PATH, {**TEAM, "name": f"team-{number}"})).status == 201

    reply = await shop.ask("POST", PATH, TEAM)

    assert reply.verdict == (429, "too_many_requests")
    assert reply.headers["Retry-After"] == "3600"
    assert len(mailer.sent) == 10


@pytest.mark.parametrize(
    ("change", "member", "words"),
    [
        ({"name": "Team"}, "name", "1 to 32"),
        ({"name": "x" * 33}, "name", "1 to 32"),
        ({"channel": "discord"}, "channel", "link-codes"),
        ({"channel": "pigeon"}, "channel", "must be one of"),
        ({"address": "nobody"}, "address", "not an e-mail address"),
        ({"address": "x" * 2001}, "address", "2000"),
        ({"adress": "a@example.com"}, "adress", "address"),
    ],
)
async def test_what_can_not_be_added_is_told(
    change: dict[str, Any], member: str, words: str, shop: Program, mailer: Mailer
) -> None:
    reply = await shop.ask("POST", PATH, {**TEAM, **change})

    assert reply.verdict == (422, "validation_error")
    assert member in reply.faults
    assert words in reply.body["message"]
    assert mailer.sent == []


async def test_a_name_is_taken_once_and_there_are_so_many_at_most(shop: Program, mailer: Mailer) -> None:
    await room(shop)
    taken = await shop.ask("POST", PATH, {**TEAM, "name": "ops"})
    reserved = await shop.ask("POST", PATH, {**TEAM, "name": "discord"})
    taken_code = await shop.ask("POST", "/api/v1/link-codes", {"room": "ops"})
    row = await Destination.get(name="ops")
    for number in range(MOST_DESTINATIONS - len(await names(shop))):
        await Destination.create(
            account_id=shop.account.id,
            channel="telegram",
            kind="room",
            name=f"room-{number}",
            enabled=True,
            address=f"{row.address}{number}",
        )

    too_many = await shop.ask("POST", PATH, TEAM)
    no_code = await shop.ask("POST", "/api/v1/link-codes", {"room": "another"})

    assert taken.verdict == reserved.verdict == taken_code.verdict == (409, "destination_exists")
    assert too_many.verdict == no_code.verdict == (409, "too_many_destinations")


async def test_a_channel_that_is_not_set_up_takes_no_mailbox(shop: Program) -> None:
    shop.api.services.health.report("email", State.OFF, "Set PINGPILOT_SMTP_HOST to switch it on.")

    assert (await shop.ask("POST", PATH, TEAM)).verdict == (409, "channel_not_configured")


async def test_what_is_sent_of_it_changes(shop: Program) -> None:
    await room(shop)
    hours = {"from": "22:00", "until": "07:00", "silently": True}

    changed = await shop.ask("PATCH", f"{PATH}/ops", {"quietHours": hours, "mention": "here"})
    back = await shop.ask("PATCH", f"{PATH}/ops", {"quietHours": None, "mention": None, "enabled": False})

    assert (changed.body["quietHours"], changed.body["mention"]) == (hours, "here")
    assert (back.body["quietHours"], back.body["mention"], back.body["enabled"]) == (None, None, False)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"mention": "@everyone"}, "mention"),
        ({"enabled": "yes"}, "enabled"),
        ({"quietHours": {"from": "22:00", "until": "25:00"}}, "quietHours.until"),
        ({"name": "other"}, "name"),
    ],
)
async def test_what_can_not_be_changed_is_told(body: dict[str, Any], member: str, shop: Program) -> None:
    await room(shop)

    reply = await shop.ask("PATCH", f"{PATH}/ops", body)

    assert (reply.verdict, reply.faults) == ((422, "validation_error"), [member])


async def test_only_rooms_on_discord_mention_anybody(shop: Program) -> None:
    await room(shop, "crew", channel="telegram")

    for name in ("crew", "discord"):
        reply = await shop.ask("PATCH", f"{PATH}/{name}", {"mention": "here"})
        assert (reply.verdict, reply.faults) == ((422, "validation_error"), ["mention"])


async def test_switching_one_on_lifts_its_suspension(shop: Program) -> None:
    await room(shop)
    await Destination.filter(name="ops").update(suspended_reason="The bot was kicked.")

    reply = await shop.ask("PATCH", f"{PATH}/ops", {"enabled": True})

    assert (reply.body["suspendedReason"], reply.body["usable"]) == (None, True)


async def test_a_removed_one_is_named_by_the_categories_that_need_another(shop: Program) -> None:
    await room(shop)
    for name, route in (("sale", {"channels": ["ops", "email"]}), ("bug", {"fallback": "ops"})):
        assert (await shop.ask("PATCH", f"/api/v1/categories/{name}", route)).status == 200

    reply = await shop.ask("DELETE", f"{PATH}/ops")

    assert reply.status == 200
    assert reply.body["categories"] == ["bug", "sale"]
    assert "ops" not in await names(shop)
    assert (await shop.ask("DELETE", f"{PATH}/ops")).verdict == (404, "not_found")
    assert (await shop.get("/api/v1/categories/sale")).body["channels"] == ["email", "ops"]


async def test_a_direct_one_can_not_be_removed(shop: Program) -> None:
    reply = await shop.ask("DELETE", f"{PATH}/email")

    assert reply.verdict == (409, "wrong_kind_of_destination")
    assert "switch it off" in reply.body["message"]


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        ({"status": DeliveryStatus.DELIVERED, "attempts": 1}, "delivered", None),
        ({"status": DeliveryStatus.FAILED, "attempts": 1, "last_error": "Gone."}, "failed", "Gone."),
    ],
)
async def test_a_test_goes_the_way_of_all_and_tells_how_it_went(
    outcome: dict[str, Any], status: str, error: str | None, shop: Program
) -> None:
    await room(shop)

    async with a_platform(**outcome):
        reply = await shop.ask("POST", f"{PATH}/ops/test")

    assert reply.status == 200
    assert (reply.body["status"], reply.body["lastError"], reply.body["attempts"]) == (status, error, 1)
    event = await Event.get()
    assert (event.notice, (await Delivery.get()).destination) == (True, "ops")
    assert await shop.charged_events() == 0


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"enabled": False}, "it is off"),
        ({"suspended_reason": "The bot was kicked."}, "The bot was kicked."),
    ],
)
async def test_nothing_is_tried_where_nothing_can_be_sent(
    state: dict[str, Any], words: str, shop: Program
) -> None:
    await room(shop)
    await Destination.filter(name="ops").update(**state)

    reply = await shop.ask("POST", f"{PATH}/ops/test")

    assert reply.verdict == (409, "destination_not_usable")
    assert words in reply.body["message"]
    assert await Event.all().count() == 0


async def test_trying_a_mailbox_that_has_not_confirmed_sends_the_link_again(
    shop: Program, mailer: Mailer
) -> None:
    await shop.ask("POST", PATH, TEAM)

    reply = await shop.ask("POST", f"{PATH}/team/test")

    assert (reply.status, reply.body["status"]) == (200, "pending")
    assert [to for to, _ in mailer.sent] == ["team@example.com"] * 2


async def test_a_test_that_waits_says_what_it_waits_for(shop: Program) -> None:
    await room(shop)
    shop.api.services.settlements.close()  # nobody waits: the daemon stops

    alone = await shop.ask("POST", f"{PATH}/ops/test")
    await Delivery.all().update(last_error="The bot is away.")
    behind = await shop.ask("POST", f"{PATH}/ops/test")

    said = "The test notification to 'ops' is on its way still"
    assert (alone.body["status"], alone.body["message"]) == ("pending", f"{said}.")
    assert behind.body["message"] == f"{said}: it waits behind an earlier message. The bot is away."


async def test_a_test_of_an_account_that_is_deleted_meanwhile_is_one_of_a_bad_key(shop: Program) -> None:
    await room(shop)

    async def is_deleted() -> bool:
        return bool(await Delivery.all().count()) and bool(await Account.all().delete())

    deleting = asyncio.create_task(eventually(is_deleted, True))
    reply = await shop.ask("POST", f"{PATH}/ops/test")
    await deleting

    assert reply.verdict == (401, "invalid_api_key")


async def test_so_many_tests_an_hour_are_free_and_each_destination_has_its_own(shop: Program) -> None:
    await room(shop)
    await room(shop, "dev")
    for _ in range(MOST_TESTS):
        await post_test(await Destination.get(name="ops"), shop.api.clock.now())

    refused = await shop.ask("POST", f"{PATH}/ops/test")
    async with a_platform(status=DeliveryStatus.DELIVERED):
        other = await shop.ask("POST", f"{PATH}/dev/test")
    shop.api.clock.advance(timedelta(hours=1, seconds=1))
    async with a_platform(status=DeliveryStatus.DELIVERED):
        later = await shop.ask("POST", f"{PATH}/ops/test")

    assert (refused.verdict, refused.headers["Retry-After"]) == ((429, "too_many_requests"), "3600")
    assert (other.status, later.status) == (200, 200)
    assert (await shop.get("/api/v1/quota")).body["eventsUsed"] == 0


async def test_only_a_webhook_has_a_secret(shop: Program) -> None:
    await room(shop)

    reply = await shop.ask("POST", f"{PATH}/ops/rotate-secret")

    assert reply.verdict == (409, "wrong_kind_of_destination")


@pytest.mark.parametrize("path", ["opps", "Ops%00", "x" * 40])
async def test_one_that_is_not_there_is_told_with_its_neighbours(path: str, shop: Program) -> None:
    await room(shop)
    calls = (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret"))

    replies = [await shop.ask(method, f"{PATH}/{path}{rest}", {}) for method, rest in calls]

    assert {each.verdict for each in replies} == {(404, "not_found")}
    if path == "opps":
        assert "did you mean 'ops'" in replies[0].body["message"]


async def test_nobody_sees_or_touches_another_accounts(shop: Program) -> None:
    await room(shop)
    other = await shop.api.sign_up("other@example.com")

    assert "ops" not in await names(other)
    assert (await other.ask("DELETE", f"{PATH}/ops")).verdict == (404, "not_found")
    assert (await other.ask("PATCH", "/api/v1/categories/sale", {"channels": ["ops"]})).faults == ["channels"]
    assert "ops" in await names(shop)


async def test_the_link_in_a_mailboxs_mails_ends_that_one_alone(shop: Program, mailer: Mailer) -> None:
    await shop.ask("PATCH", "/api/v1/account", {"channels": {"email": {"enabled": True}}})
    await shop.ask("POST", PATH, TEAM)
    link = re.search(r"/confirm-mailbox/\S+", mailer.sent[0][1])
    assert link
    await shop.api.call("POST", link[0])
    url = unsubscribing(shop, "team@example.com")

    asked = await shop.api.call("GET", url)
    done = await shop.api.call("POST", url)

    assert "team@example.com" in asked.text
    assert "shop@example.com" not in asked.text + done.text
    assert {row.name: row.enabled for row in await Destination.filter(channel="email")} == {
        "email": True,
        "team": False,
    }
    tampered = url.replace(f"{shop.account.id}.team", f"{shop.account.id}.email")
    assert (await shop.api.call("POST", tampered)).status == 404


async def test_who_unsubscribes_has_to_confirm_anew_whatever_the_owner_does(
    shop: Program, mailer: Mailer
) -> None:
    await shop.ask("POST", PATH, TEAM)
    await shop.api.call("POST", confirming(mailer))
    url = unsubscribing(shop, "team@example.com")
    await shop.api.call("POST", url)

    switched = await shop.ask("PATCH", f"{PATH}/team", {"enabled": True})
    old_link = await shop.api.call("POST", confirming(mailer))
    nowhere = await shop.post()
    seen = await shop.api.call("GET", url)
    await shop.ask("POST", f"{PATH}/team/test")
    await shop.api.call("POST", confirming(mailer))

    assert [switched.body[name] for name in ("enabled", "linked", "usable")] == [True, False, False]
    assert old_link.status == 404
    assert nowhere.body["deliveryStatus"] == "NO_CHANNEL"
    assert "No more e-mails" in seen.text
    assert "warning" not in (await shop.post()).body


async def test_who_unsubscribed_can_undo_it_on_the_page(shop: Program, mailer: Mailer) -> None:
    await shop.ask("POST", PATH, TEAM)
    await shop.api.call("POST", confirming(mailer))
    url = unsubscribing(shop, "team@example.com")
    await shop.api.call("POST", url)

    undone = await shop.api.call("POST", f"{url}?undo=yes")

    assert "E-mails are on again" in undone.text
    assert (await shop.get(f"{PATH}/team")).body["usable"]


async def test_undoing_confirms_nothing_that_was_never_confirmed(shop: Program) -> None:
    await shop.ask("POST", PATH, TEAM)
    url = unsubscribing(shop, "team@example.com")
    await shop.api.call("POST", url)

    await shop.api.call("POST", f"{url}?undo=yes")

    assert not (await shop.get(f"{PATH}/team")).body["usable"]


async def test_the_link_of_a_former_mailbox_of_that_name_ends_no_other(shop: Program, mailer: Mailer) -> None:
    await shop.ask("POST", PATH, TEAM)
    await shop.api.call("POST", confirming(mailer))
    await shop.ask("DELETE", f"{PATH}/team")
    await shop.ask("POST", PATH, {**TEAM, "address": "other@example.com"})
    await shop.api.call("POST", confirming(mailer))

    former = await shop.api.call("POST", unsubscribing(shop, "team@example.com"))

    assert (former.status, "other@example.com" in former.text) == (404, False)
    assert (await shop.get(f"{PATH}/team")).body["usable"]


async def test_a_webhook_gets_a_secret_and_another_one(shop: Program) -> None:
    body = {"name": "hook", "channel": "webhook", "address": "https://hooks.example.com/"}

    added = await shop.ask("POST", PATH, body)
    shown = await shop.get(f"{PATH}/hook")
    rotated = await shop.ask("POST", f"{PATH}/hook/rotate-secret")

    assert (added.status, added.body["kind"], added.body["usable"]) == (201, "webhook", True)
    assert added.body["secret"].startswith("whsec_")
    assert added.headers["Cache-Control"] == rotated.headers["Cache-Control"] == "no-store"
    assert "secret" not in shown.body
    assert rotated.body["secret"] != added.body["secret"]
    row = await Destination.get(name="hook")
    assert (row.secret, row.former_secret) == (rotated.body["secret"], added.body["secret"])


@pytest.mark.parametrize("address", ["http://hooks.example.com/", "https://10.0.0.1/", "https://[::1]/", "x"])
async def test_a_webhook_leads_to_no_inner_address(address: str, shop: Program) -> None:
    reply = await shop.ask("POST", PATH, {"name": "hook", "channel": "webhook", "address": address})

    assert (reply.verdict, reply.faults) == ((422, "validation_error"), ["address"])


async def test_a_mute_from_a_clock_that_was_ahead_is_not_shown(shop: Program) -> None:
    await room(shop)
    for days, is_shown in ((1, True), (400, False)):
        until = shop.api.clock.now() + timedelta(days=days)
        await Destination.filter(name="ops").update(muted_until=until)

        shown = (await shop.get(f"{PATH}/ops")).body["mutedUntil"]

        assert (shown is not None) is is_shown
