"""Destinations on the dashboard: linked, added, tried, made quiet, switched and removed; nobody else's."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from models import Account, Category, Delivery, DeliveryStatus, Destination, Event, Fact, LinkCode
from models.ids import event_id_text
from pingpilot.accounts.destinations import MOST_DESTINATIONS
from pingpilot.accounts.linking import MOST_CODES, TELEGRAM_USERNAME, ChatUser, link
from pingpilot.accounts.rooms import Room, link_room
from pingpilot.telemetry.health import State
from tests.http.api import ON_SQLITE, Api, Reply
from tests.support.clock import ManualClock
from tests.support.events import accept
from tests.support.waiting import eventually

from .people import Person, text_of

PATH = "/settings/destinations"
REFUSED: Sequence[tuple[dict[str, str], str]] = (
    ({"do": "add-webhook", "name": "Crm", "address": "https://a.example"}, "name is 1 to 32 of a-z"),
    ({"do": "add-webhook", "name": "crm", "address": "http://10.0.0.1"}, "PINGPILOT_WEBHOOK_ALLOW"),
    ({"do": "add-webhook", "name": "email", "address": "https://a.example"}, "is a channel's name"),
    ({"do": "add-webhook", "name": "crm"}, "A webhook needs an address"),
    ({"do": "add-mailbox", "name": "team", "address": "<script>"}, "'<script>' is not an e-mail address"),
    ({"do": "add-mailbox", "name": "team", "address": "x" * 60_000}, "is not an e-mail address"),
    ({"do": "add-mailbox", "name": "a\0b", "address": "a@example.com"}, "name is 1 to 32 of a-z"),
    ({"do": "link-room", "room": "../ops"}, "name is 1 to 32 of a-z"),
    ({"do": "link", "name": "email"}, "There is no such channel: choose from discord, telegram."),
    ({"do": "link", "name": "?"}, "There is no such channel: choose from discord, telegram."),
    ({"do": "off", "name": "x" * 60_000}, "There is no such destination: a name is"),
    ({"do": "off", "name": "crm"}, "There is no destination 'crm'"),
    ({"do": "off"}, "There is no such destination: a name is"),
    ({"do": "remove", "name": "email"}, "E-mail itself can't be removed"),
    ({"do": "rotate", "name": "email"}, "E-mail is not a webhook, and has no secret."),
    ({"do": "test", "name": "telegram"}, "Nothing can be sent to 'telegram': it is off."),
    ({"do": "change", "name": "email", "from": "22:00"}, "have a beginning and an end"),
    (
        {"do": "change", "name": "email", "from": "25:00", "to": "1"},
        "is not a valid range of quiet hours",
    ),
    ({"do": "change", "name": "email", "mention": "here"}, "Only messages to a room in Discord"),
    ({"do": "mute", "name": "email"}, "'' is not a valid time to mute for"),
    ({"do": "mute", "name": "email", "for": "99d"}, "'99d' is not a valid time to mute for"),
    ({"do": "mute", "name": "email", "for": "1h", "until": "9999-12-31T23:59"}, "up to 30 days"),
    ({"do": "mute", "name": "email", "for": "1h", "until": "0001-01-01T00:00"}, "up to 30 days"),
    ({"do": "mute", "name": "email", "for": "1h", "until": "now"}, "up to 30 days"),
)
GRACE = ChatUser("telegram", "4711", "grace")


@asynccontextmanager
async def a_platform(**outcome: Any) -> AsyncIterator[None]:
    """Settle the next delivery as a daemon would."""

    async def is_settled() -> bool:
        return bool(await Delivery.all().update(**outcome))

    settling = asyncio.create_task(eventually(is_settled, True))
    yield
    await settling


def code_in(page: Reply) -> str:
    """Return the link code that a page shows."""
    [code] = set(re.findall(r"/link (?:code: )?([2-9A-Z]{8})\b", page.text))
    return str(code)


def secret_in(page: Reply) -> str:
    [secret] = set(re.findall(r"whsec_[A-Za-z0-9+/=]+", page.text))
    return str(secret)


async def add_webhook(person: Person, name: str = "crm") -> Reply:
    form = {"do": "add-webhook", "name": name, "address": "https://hooks.example.com/pingpilot"}
    return await person.post(PATH, form)


async def test_a_chat_is_linked_with_a_code_and_unlinked(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await Fact.keep(TELEGRAM_USERNAME, "pingpilot_bot")

    shown = await person.post(PATH, {"do": "link", "name": "telegram"})
    code = await LinkCode.get()
    waiting = await person.get(f"{PATH}?code={code.id}")
    await link(GRACE, code_in(shown), address="4711", now=clock.now())
    linked = await person.get(f"{PATH}?code={code.id}")
    gone = await person.post(PATH, {"do": "unlink", "name": "telegram"})

    assert f"https://t.me/pingpilot_bot?start={code_in(shown)}" in shown.text
    assert 'class="qr"' in shown.text
    assert "until 2026-" in text_of(shown)
    assert "Waiting for the code" in text_of(waiting)
    assert code_in(shown) not in waiting.text
    assert "Linked: events go to 'telegram' from now on." in text_of(linked)
    assert "your chat with the bot, @grace · linked just now" in text_of(linked)
    assert gone.headers["Location"] == "../settings/destinations#telegram"
    row = await Destination.get(account_id=ada.id, name="telegram")
    assert (row.enabled, row.address) == (False, None)
    assert (await Event.get(notice=True)).description == (
        "Telegram was unlinked from ada@example.com, on the dashboard."
    )


async def test_a_room_is_linked_under_its_name_and_removed(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    shown = await person.post(PATH, {"do": "link-room", "room": "ops"})
    room = Room("discord", "9001", '<b>"Team" & friends</b>')
    await link_room(ChatUser("discord", "4711", None), room, code_in(shown), now=clock.now())
    await Category.filter(account_id=ada.id, name="bug").update(channels="ops")

    page = await person.get(PATH)
    await person.post(
        PATH, {"do": "change", "name": "ops", "from": "22:00", "to": "07:00", "mention": "here"}
    )
    changed = text_of(await person.get(PATH))
    not_unlinked = await person.post(PATH, {"do": "unlink", "name": "ops"})
    removed = await person.post(PATH, {"do": "remove", "name": "ops"})

    assert "where: This channel" in text_of(shown)
    assert "&lt;b&gt;&#34;Team&#34; &amp; friends&lt;/b&gt; · linked" in page.text
    assert "linked just now by the user …4711" in text_of(page)
    assert "The category bug names it: give that one another route." in text_of(page)
    assert "quiet 22:00–07:00 · calls @here" in changed
    assert "Only a chat of your own can be unlinked: remove 'ops' instead." in text_of(not_unlinked)
    assert removed.headers["Location"] == "../settings/destinations"
    assert not await Destination.filter(name="ops").exists()


async def test_a_mailbox_is_asked_and_asked_again(api: Api, person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    await person.post(PATH, {"do": "add-mailbox", "name": "team", "address": "Team@Example.com"})
    page = text_of(await person.get(PATH))
    await person.post(PATH, {"do": "test", "name": "team"})

    assert "not confirmed" in page
    assert [to for to, _ in api.mailer.sent] == ["team@example.com"] * 2
    link = re.search(r"/confirm-mailbox/\S+", api.mailer.sent[1][1])
    assert link
    changes = api.services.live.changes(ada.id)
    await api.call("POST", link[0])
    assert api.services.live.changes(ada.id) > changes  # its open pages load themselves anew
    assert "E-mail: team@example.com · confirmed just now" in text_of(await person.get(PATH))


async def test_a_webhooks_secrets_are_shown_once(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    first = secret_in(await add_webhook(person))
    rotated = await person.post(PATH, {"do": "rotate", "name": "crm"})

    row = await Destination.get(name="crm")
    assert (row.former_secret, row.secret) == (first, secret_in(rotated))
    assert "The former one signs beside it until" in text_of(rotated)
    assert rotated.headers["Cache-Control"] == "no-store"
    page = (await person.get(PATH)).text
    assert "whsec_" not in page


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ({"status": DeliveryStatus.DELIVERED}, "The last test arrived."),
        (
            {"status": DeliveryStatus.FAILED, "last_error": "<i>No</i> such mailbox."},
            "The last test did not arrive: <i>No</i> such mailbox.",
        ),
    ],
)
async def test_a_test_is_waited_for_and_its_result_stays_for_an_hour(
    person: Person, ada: Account, clock: ManualClock, outcome: dict[str, Any], says: str
) -> None:
    await person.sign_in(ada)

    async with a_platform(**outcome):
        answer = await person.post(PATH, {"do": "test", "name": "email"})
    after = text_of(await person.get(PATH))
    clock.advance(timedelta(hours=1))

    assert answer.headers["Location"] == "../settings/destinations#email"
    assert says in after
    assert "last test" not in text_of(await person.get(PATH))


async def test_it_is_muted_for_a_while_or_until_a_time_and_switched(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    ada.time_zone = "Asia/Kathmandu"
    await ada.save()
    await person.sign_in(ada)

    await person.post(PATH, {"do": "mute", "name": "email", "for": "8h"})
    for_a_while = (await Destination.get(name="email")).muted_until
    until = {"do": "mute", "name": "email", "for": "1h", "until": f"{clock.now():%Y-%m-%d}T23:00"}
    await person.post(PATH, until)
    muted = text_of(await person.get(PATH))
    await person.post(PATH, {"do": "unmute", "name": "email"})
    await person.post(PATH, {"do": "off", "name": "email"})

    assert for_a_while == clock.now() + timedelta(hours=8)
    assert "23:00:00 +0545" in muted
    row = await Destination.get(name="email")
    assert (row.muted_until, row.enabled) == (None, False)
    assert "Switch on" in text_of(await person.get(PATH))


async def test_what_is_suspended_says_why_and_is_switched_on_again(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await Destination.filter(name="email").update(suspended_reason="The mailbox is gone.")

    await accept(ada, clock, "sale")
    await Delivery.create(
        event_id=(await Event.get()).id,
        account_id=ada.id,
        channel="email",
        destination="email",
        status="failed",
        last_error="No such mailbox.",
    )

    page, overview = text_of(await person.get(PATH)), await person.get("/")
    event = await person.get(f"/events/{event_id_text((await Event.get()).id)}")
    await person.post(PATH, {"do": "on", "name": "email"})

    assert "E-mail The mailbox is gone. ada@example.com To mend this:" in page
    assert 'href="./settings/destinations#email"' in overview.text
    assert 'href="../settings/destinations#email">Mend this destination' in event.text
    assert (await Destination.get(name="email")).suspended_reason is None


async def test_another_accounts_destinations_are_out_of_reach(
    person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await add_webhook(person)
    code = await person.post(PATH, {"do": "link-room", "room": "secret-room"})
    before = await Destination.filter(account_id=ada.id).order_by("id").values()
    await person.sign_in(eve)

    answers = [
        await person.post(PATH, {"do": do, "name": "crm", "for": "1h", "from": "", "to": ""})
        for do in ("on", "off", "change", "mute", "unmute", "unlink", "remove", "test", "rotate")
    ]
    seen = await person.get(f"{PATH}?code={(await LinkCode.get()).id}")

    assert {each.status for each in answers} == {400}
    assert all("There is no destination 'crm'" in text_of(each) for each in answers)
    assert "expired" in text_of(seen)
    assert code_in(code) not in seen.text
    assert await Destination.filter(account_id=ada.id).order_by("id").values() == before
    assert not await Event.exists()


@ON_SQLITE
async def test_what_can_not_be_done_is_said_and_changes_nothing(person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    before = await Destination.all().values()

    answers = [(await person.post(PATH, form), says) for form, says in REFUSED]

    for answer, says in answers:
        assert answer.status == 400
        assert says in text_of(answer)
        assert 'role="alert"' in answer.text
        assert "<script>" not in answer.text.partition("<main")[2]
        assert len(answer.text) < 60_000
    assert await Destination.all().values() == before


@ON_SQLITE
async def test_there_is_an_end_to_codes_mails_and_destinations(
    api: Api, person: Person, ada: Account
) -> None:
    await person.sign_in(ada)
    codes = [await person.post(PATH, {"do": "link-room"}) for _ in range(MOST_CODES + 1)]
    mailboxes = [
        await person.post(PATH, {"do": "add-mailbox", "name": f"m-{number}", "address": "a@example.com"})
        for number in range(11)
    ]
    webhooks = [await add_webhook(person, f"w-{number}") for number in range(MOST_DESTINATIONS)]
    api.mailer.refusal = "No such mailbox."

    assert [each.status for each in codes] == [200] * MOST_CODES + [400]
    assert "use one of them, or wait a little" in text_of(codes[-1])
    assert [each.status for each in mailboxes] == [303] * 10 + [400]
    assert webhooks[-1].status == 400
    assert f"up to {MOST_DESTINATIONS} destinations" in text_of(webhooks[-1])
    assert len(webhooks[-1].text) < 150_000


@ON_SQLITE
async def test_a_mailbox_that_can_not_be_asked_is_not_added(api: Api, person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    api.mailer.refusal = "No such mailbox."

    answer = await person.post(PATH, {"do": "add-mailbox", "name": "team", "address": "a@example.com"})

    assert "The link could not be sent to a@example.com: No such mailbox." in text_of(answer)
    assert 'value="team"' in answer.text
    assert not await Destination.filter(name="team").exists()


@ON_SQLITE
async def test_what_the_server_is_not_set_up_for_is_not_offered(
    api: Api, person: Person, ada: Account
) -> None:
    await person.sign_in(ada)
    for channel in ("discord", "telegram", "email"):
        api.services.health.report(channel, State.OFF, "Set something.")

    page = text_of(await person.get(PATH))
    forms = (
        {"do": "on", "name": "discord"},
        {"do": "link", "name": "telegram"},
        {"do": "test", "name": "email"},
    )
    answers = [await person.post(PATH, form) for form in forms]

    assert "Link a chat" not in page
    assert "A room on" not in page
    assert "This server sends no e-mail." in page
    assert "Set something" not in page
    assert {each.status for each in answers} == {400}


@ON_SQLITE
async def test_a_form_from_elsewhere_changes_nothing(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    answers = [
        await person.post(PATH, {"do": "off", "name": "email"}, headers=headers)
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {})
    ]

    assert [each.status for each in answers] == [400, 400, 400]
    assert (await Destination.get(name="email")).enabled
