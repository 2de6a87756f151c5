"""The unsubscribe link of e-mails."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import structlog

from models import Delivery, DeliveryStatus, Destination, Event
from models.database import connection
from tests.support.waiting import until

from .api import ON_SQLITE, Api, Program

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")  # digits, but not ours
FORGED = [
    "1.{zeros}",
    "{other}.{signature}",
    "{id}.{flipped}",
    "{id}",
    "{id}.",
    ".{signature}",
    "{id}.{upper}",
]
FORGED += ["{id}.{signature}0", "0{id}.{signature}%00", "%FF", "999999999999999999.{signature}", "x"]
FORGED += ["{arabic}.{signature}", "²{id}.{signature}"]


@pytest.fixture
async def reader(api: Api) -> Program:
    """An account that gets e-mails, at an address with characters that mean something in HTML."""
    return await api.sign_up("o'brien&co@example.com", channels=["email"])


def link_of(program: Program) -> str:
    return urlsplit(program.api.services.unsubscriber.url_for(program.account.id)).path


async def gets_mail(program: Program) -> bool:
    return (await Destination.get(account_id=program.account.id, channel="email")).enabled


@ON_SQLITE
async def test_following_the_link_only_asks(reader: Program) -> None:
    page = await reader.api.call("GET", link_of(reader))

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<form method="post" action="?">' in page.text
    assert await gets_mail(reader)


@ON_SQLITE
async def test_a_scanner_that_looks_at_the_link_switches_nothing(reader: Program) -> None:
    page = await reader.api.call("HEAD", link_of(reader))

    assert page.status == 200
    assert await gets_mail(reader)


@ON_SQLITE
@pytest.mark.parametrize("form", [None, {"List-Unsubscribe": "One-Click"}], ids=["button", "one click"])
async def test_posting_switches_the_e_mails_off(reader: Program, form: dict[str, str] | None) -> None:
    page = await reader.api.call("POST", link_of(reader), data=form)

    assert page.status == 200
    assert "No more e-mails" in page.text
    assert not await gets_mail(reader)


@ON_SQLITE
async def test_posting_twice_is_as_good_as_once(reader: Program) -> None:
    pages = [await reader.api.call("POST", link_of(reader)) for _ in range(2)]

    assert [page.status for page in pages] == [200, 200]
    assert not await gets_mail(reader)


@ON_SQLITE
@pytest.mark.parametrize("linked", [True, False])
async def test_every_page_says_what_is_true_for_this_account(reader: Program, linked: bool) -> None:
    if linked:
        await reader.link("telegram")
    truth = "go on arriving on Telegram" if linked else "No other channel of this account can be used"

    asked = await reader.api.call("GET", link_of(reader))
    done = await reader.api.call("POST", link_of(reader))
    looked_at_again = await reader.api.call("GET", link_of(reader))

    assert [truth in page.text for page in (asked, done, looked_at_again)] == [True] * 3
    assert ["Discord" in page.text for page in (asked, done)] == [False] * 2
    assert "No more e-mails" in looked_at_again.text


@ON_SQLITE
async def test_unsubscribing_can_be_undone_on_the_page(reader: Program) -> None:
    done = await reader.api.call("POST", link_of(reader))
    assert 'action="?undo=yes"' in done.text

    undone = await reader.api.call("POST", f"{link_of(reader)}?undo=yes")

    assert "E-mails are on again" in undone.text
    assert await gets_mail(reader)


@ON_SQLITE
async def test_the_other_channels_are_told_once(reader: Program) -> None:
    await reader.link("telegram")

    for _ in range(2):
        await reader.api.call("POST", link_of(reader))
    await reader.api.call("POST", f"{link_of(reader)}?undo=yes")

    notices = [event.description for event in await Event.filter(notice=True).order_by("id")]
    assert [notice.partition("were switched ")[2].partition(",")[0] for notice in notices] == [
        "off",
        "on again",
    ]
    assert [each.channel for each in await Delivery.all()] == ["telegram", "telegram"]


@ON_SQLITE
async def test_events_go_on_without_e_mails(reader: Program) -> None:
    await reader.api.call("POST", link_of(reader))

    reply = await reader.post()

    assert reply.status == 200
    assert await Delivery.filter(account_id=reader.account.id).count() == 0


async def test_what_waits_for_quiet_hours_to_end_is_looked_at_at_once(reader: Program) -> None:
    clock = reader.api.clock
    await reader.post()
    held = Delivery.filter(account_id=reader.account.id)
    await held.update(status=DeliveryStatus.HELD, next_attempt_at=clock.now() + timedelta(hours=8))

    await reader.api.call("POST", link_of(reader))

    assert [each.next_attempt_at for each in await held] == [clock.now()]


async def test_a_suspended_channel_is_switched_off_like_any_other(reader: Program) -> None:
    email = reader.account.email
    await Destination.suspend(reader.account.id, "email", address=email, reason="No mailbox.")

    await reader.api.call("POST", link_of(reader))

    row = await Destination.get(account_id=reader.account.id, channel="email")
    assert row.suspended_reason is None
    assert (row.enabled, row.address) == (False, email)


@ON_SQLITE
async def test_only_the_accounts_own_e_mails_are_switched_off(api: Api, reader: Program) -> None:
    other = await api.sign_up("other@example.com", channels=["email"])

    await api.call("POST", link_of(reader))

    assert await gets_mail(other)


@ON_SQLITE
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_address_is_shown_as_text(reader: Program, method: str) -> None:
    page = await reader.api.call(method, link_of(reader))

    assert "o&#39;brien&amp;co@example.com" in page.text
    assert "o'brien" not in page.text


@ON_SQLITE
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("form", FORGED)
async def test_a_forged_link_is_not_known(reader: Program, method: str, form: str) -> None:
    account, _, signature = link_of(reader).rpartition("/")[2].partition(".")
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    parts = {"id": account, "other": int(account) + 1, "signature": signature, "flipped": flipped}
    token = form.format(**parts, zeros="0" * 64, upper=signature.upper(), arabic=account.translate(ARABIC))

    page = await reader.api.call(method, f"/unsubscribe/{token}")

    assert page.status == 404
    assert "not valid" in page.text
    assert "o&#39;brien" not in page.text
    assert await gets_mail(reader)


@ON_SQLITE
async def test_the_pages_load_nothing_and_tell_nobody_where_they_were(reader: Program) -> None:
    page = await reader.api.call("GET", link_of(reader))

    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Request-Id"]


@ON_SQLITE
async def test_a_click_that_fails_leaves_no_token_in_the_log(reader: Program) -> None:
    await connection().execute_script("ALTER TABLE destinations RENAME TO away")

    with structlog.testing.capture_logs() as log:
        reply = await reader.api.call("POST", link_of(reader))
        await until(lambda: bool(log))

    assert reply.verdict == (500, "processing_failed")
    assert log[0]["call"] == "/unsubscribe/{token}"
    assert link_of(reader) not in str(log)
