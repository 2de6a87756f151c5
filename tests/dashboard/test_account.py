"""The account on the dashboard: its address and preferences, its data as a file, and its end."""

import asyncio
import re
from collections.abc import Sequence

import pytest

from api.dashboard import account as page
from models import Account, ApiKey, Destination, Event, Fact, LinkCode, Session, SignInLink
from models.database import connection
from pingpilot.accounts.deleting import Deletions
from pingpilot.accounts.linking import create_link_code
from pingpilot.accounts.sign_in import account_to_sign_in, new_sign_in_link
from pingpilot.clock import SystemClock
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.events import accept
from tests.support.waiting import eventually

from .people import Person, text_of

PATH, EXPORT = "/settings/account", "/settings/account/export"
FORMS = ({"do": "preferences", "zone": "Asia/Tokyo"}, {"do": "delete", "email": "ada@example.com"})
FROM_ELSEWHERE: Sequence[dict[str, str]] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {},
)


async def test_the_account_shows_its_plan_and_what_is_used(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale", "sale")

    shown = text_of(await person.get(PATH))

    assert "Free plan" in shown
    assert "2 events this month of 100" in shown
    assert "ask whoever runs this server" in shown


async def test_a_new_address_is_confirmed_by_a_link_in_its_mailbox(
    api: Api, person: Person, ada: Account
) -> None:
    await person.sign_in(ada)

    asked = await person.post(PATH, {"do": "address", "email": "Ada@Example.org"})
    before = (await Account.get(id=ada.id)).email
    [(to, text)] = api.mailer.sent
    link = re.search(r"/confirm-email/\S+", text)
    assert link
    await api.call("POST", link[0])

    assert "A link was sent to ada@example.org" in text_of(asked)
    assert (to, before) == ("ada@example.org", "ada@example.com")
    assert api.mailer.strangers == ["ada@example.org"]
    assert "ada@example.org · Free" in text_of(await person.get(PATH))
    told = [each.description for each in await Event.filter(notice=True).order_by("id")]
    assert "asked to change your account's address to ada@example.org" in told[0]


async def test_the_time_zone_and_combining_are_changed_together(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    saved = await person.post(PATH, {"do": "preferences", "zone": " Asia/Tokyo "})
    shown = await person.get(PATH)
    refused = await person.post(PATH, {"do": "preferences", "zone": "<b>Mars</b>", "combine": "on"})

    assert saved.headers["Location"] == "../settings/account?saved"
    assert 'value="Asia/Tokyo"' in shown.text
    assert "<option>Europe/Berlin</option>" in shown.text
    assert refused.status == 400
    assert "'<b>Mars</b>' is not a valid time zone: write it like Europe/Berlin or UTC." in text_of(refused)
    stored = await Account.get(id=ada.id)
    assert (stored.time_zone, stored.combine) == ("Asia/Tokyo", False)


async def test_all_that_is_stored_comes_as_a_file(
    person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, *["sale"] * 3)
    await accept(eve, clock, "bug")

    file = await person.post(EXPORT)

    assert (
        file.headers["Content-Disposition"] == f'attachment; filename="pingpilot-{clock.now():%Y-%m-%d}.json"'
    )
    assert file.headers["Content-Type"] == "application/json; charset=utf-8"
    assert file.headers["Cache-Control"] == "no-store"
    assert [each["category"] for each in file.body["events"]] == ["sale"] * 3
    assert file.body["account"]["email"] == "ada@example.com"
    assert "eve@example.com" not in file.text


@ON_SQLITE
async def test_a_file_that_breaks_off_does_not_pass_for_whole(
    person: Person, ada: Account, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale")
    await connection().execute_query("ALTER TABLE idempotency_keys RENAME TO away")

    with pytest.raises(Exception, match=r"payload|disconnected|reset"):
        await person.post(EXPORT)
    await connection().execute_query("ALTER TABLE away RENAME TO idempotency_keys")

    assert len((await person.post(EXPORT)).body["events"]) == 1
    monkeypatch.setattr(page, "_exporting", {ada.id})
    second = await person.post(EXPORT)
    assert (second.status, "A download is under way" in text_of(second)) == (400, True)


async def test_an_account_is_deleted_by_typing_its_address(
    api: Api, person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale")
    await create_link_code(ada, clock.now())
    link = await new_sign_in_link(ada, "", clock.now())
    wrong = await person.post(PATH, {"do": "delete", "email": "eve@example.com"})

    deleted = await person.post(PATH, {"do": "delete", "email": " ADA@example.com"})
    afterwards = [await person.get("/settings/account"), await person.post(link.url)]
    still = (
        await ApiKey.filter(account_id=ada.id, revoked_at__isnull=True).count(),
        await Destination.filter(account_id=ada.id, enabled=True).count(),
        await Session.filter(account_id=ada.id).count(),
        await LinkCode.filter(account_id=ada.id).count() + await SignInLink.filter(account_id=ada.id).count(),
    )
    may_sign_in = await account_to_sign_in("ada@example.com")
    await api.services.deletions.finish()

    assert may_sign_in is None
    assert "That is not the account's address: nothing was deleted." in text_of(wrong)
    assert (deleted.status, "pingpilot_session" in person.cookies) == (200, False)
    assert "The account ada@example.com is deleted" in text_of(deleted)
    assert [each.status for each in afterwards] == [303, 404]
    assert still == (0, 0, 0, 0)
    assert [each.email for each in await Account.all()] == ["eve@example.com"]
    assert not await Event.filter(account_id=ada.id).exists()
    assert not await Fact.filter(name__startswith="deleting.").exists()


async def test_a_deletion_that_a_stop_cut_off_goes_on_afterwards(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await person.post(PATH, {"do": "delete", "email": "ada@example.com"})

    # Of a daemon that starts, and knows of it from the database alone
    later = Deletions(clock=SystemClock(), database=api.composition.database)
    running = asyncio.create_task(later.run())
    await eventually(Fact.filter(name__startswith="deleting.").exists, False)
    running.cancel()
    await asyncio.wait([running])

    assert not await Account.exists()


@ON_SQLITE
async def test_what_can_not_be_done_is_said_and_changes_nothing(
    api: Api, person: Person, ada: Account, eve: Account
) -> None:
    await person.sign_in(ada)
    before = await Account.all().values()
    refused = [
        ({"do": "address", "email": "eve@example.com"}, "There is an account for eve@example.com already."),
        ({"do": "address", "email": "ada@example.com"}, "is the account's address already"),
        ({"do": "address", "email": "<script>"}, "'<script>' is not an e-mail address"),
        ({"do": "address", "email": "x" * 60_000}, "is not an e-mail address"),
        ({"do": "address"}, "is not an e-mail address"),
        ({"do": "preferences"}, "'' is not a valid time zone"),
        ({"do": "preferences", "zone": "../../etc/passwd"}, "is not a valid time zone"),
        ({"do": "preferences", "zone": "Z\0" * 10_000}, "is not a valid time zone"),
        ({"do": "delete"}, "nothing was deleted"),
    ]

    for form, says in refused:
        answer = await person.post(PATH, form)
        assert (answer.status, says in text_of(answer)) == (400, True), form
        assert "<script>" not in answer.text.partition("<main")[2]
        assert len(answer.text) < 40_000
    api.mailer.refusal = "No such mailbox."
    unsent = await person.post(PATH, {"do": "address", "email": "new@example.com"})
    often = [await person.post(PATH, {"do": "address", "email": "new@example.com"}) for _ in range(10)]
    forged = [
        await person.post(path, form, headers=headers)
        for headers in FROM_ELSEWHERE
        for path, form in ((PATH, FORMS[0]), (PATH, FORMS[1]), (EXPORT, {}))
    ]

    assert "The link could not be sent to new@example.com: No such mailbox." in text_of(unsent)
    assert "wait a little" in text_of(often[-1])
    assert {each.status for each in forged} == {400}
    assert not any("attachment" in each.headers.get("Content-Disposition", "") for each in forged)
    assert await Account.all().values() == before
