"""The link that confirms an account's new e-mail address."""

import asyncio
from datetime import timedelta

import pytest

from models import Account, Destination, Event
from pingpilot.accounts.accounts import find_account
from pingpilot.accounts.email_change import EmailChanges
from pingpilot.errors import AlreadyExists, InvalidInput
from tests.support.clock import ManualClock

from .api import ON_SQLITE, Api, Program

NEW = "o'brien&co@example.org"


@pytest.fixture
async def reader(api: Api) -> Program:
    """An account that gets e-mails."""
    return await api.sign_up("reader@example.com", channels=["email"])


async def link_for(program: Program, new: str = NEW) -> str:
    account = await Account.get(id=program.account.id)
    _, token = await (await EmailChanges.load()).prepare(account, new, program.api.clock.now())
    return f"/confirm-email/{token}"


async def address_of(program: Program) -> tuple[str, str | None]:
    row = await Destination.get(account_id=program.account.id, channel="email")
    return (await Account.get(id=program.account.id)).email, row.address


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_following_the_link_only_asks(reader: Program, method: str) -> None:
    page = await reader.api.call(method, await link_for(reader))

    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert await address_of(reader) == ("reader@example.com", "reader@example.com")


async def test_the_click_changes_the_address_and_the_account_is_told(reader: Program) -> None:
    await Destination.all().update(suspended_reason="No such mailbox.")
    link = await link_for(reader)
    asked = await reader.api.call("GET", link)

    done = await reader.api.call("POST", link)

    assert "o&#39;brien&amp;co@example.org" in asked.text
    assert done.status == 200
    assert "from now on" in done.text
    assert await address_of(reader) == (NEW, NEW)
    [notice] = await Event.filter(notice=True)
    assert (
        notice.description == f"The address of your account is {NEW} from now on; it was reader@example.com."
    )
    assert (await reader.post()).body.keys() == {"message", "eventId"}


async def test_the_page_says_whether_the_account_gets_e_mails(reader: Program) -> None:
    with_mail = await reader.api.call("GET", await link_for(reader))
    await Destination.filter(account_id=reader.account.id).update(enabled=False)

    link = await link_for(reader)
    without = [await reader.api.call(method, link) for method in ("GET", "POST")]

    assert "will come here" in with_mail.text
    for page in without:
        assert "switched off" in page.text
        assert "come here" not in page.text


async def test_a_link_works_once_and_says_so(reader: Program) -> None:
    link = await link_for(reader)

    clicks = await asyncio.gather(*(reader.api.call("POST", link) for _ in range(3)))
    later = await reader.api.call("GET", link)

    assert [reply.status for reply in (*clicks, later)] == [200, 200, 200, 200]
    assert sum("It is changed already" in reply.text for reply in (*clicks, later)) == 3
    assert await Event.filter(notice=True).count() == 1


@ON_SQLITE
async def test_a_link_from_a_clock_that_was_ahead_works_no_longer_than_a_day(reader: Program) -> None:
    clock = reader.api.clock
    clock.set_by(timedelta(days=3))
    link = await link_for(reader)
    clock.set_by(-timedelta(days=3))

    assert (await reader.api.call("POST", link)).status == 404


@ON_SQLITE
async def test_an_older_link_ends_with_the_address_it_was_made_for(reader: Program) -> None:
    older, newer = await link_for(reader, "old@example.org"), await link_for(reader)
    await reader.api.call("POST", newer)

    assert (await reader.api.call("POST", older)).status == 404
    assert (await address_of(reader))[0] == NEW


@ON_SQLITE
async def test_a_link_works_for_a_day(reader: Program, clock: ManualClock) -> None:
    link = await link_for(reader)

    clock.advance(timedelta(days=1, seconds=1))

    assert (await reader.api.call("POST", link)).status == 404


async def test_an_address_that_another_account_got_meanwhile_is_refused(api: Api, reader: Program) -> None:
    link = await link_for(reader)
    await api.sign_up(NEW)

    refused = await api.call("POST", link)

    assert refused.status == 409
    assert "There is an account for" in refused.text
    assert (await address_of(reader))[0] == "reader@example.com"


@ON_SQLITE
async def test_an_address_that_is_taken_or_none_is_refused_at_once(api: Api, reader: Program) -> None:
    await api.sign_up(NEW)

    with pytest.raises(AlreadyExists):
        await link_for(reader)
    with pytest.raises(AlreadyExists, match="is the account's address already"):
        await link_for(reader, reader.account.email.upper())
    with pytest.raises(InvalidInput):
        await link_for(reader, "nobody")


@ON_SQLITE
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("part", range(5))
async def test_a_forged_link_is_not_known(reader: Program, method: str, part: int) -> None:
    parts = (await link_for(reader)).rpartition("/")[2].split(".")
    parts[part] = {0: "²", 1: "9" * 11, 2: "0" * 16, 3: "bWFsbG9yeUBleGFtcGxlLm9yZw", 4: "0" * 64}[part]

    reply = await reader.api.call(method, f"/confirm-email/{'.'.join(parts)}")

    assert reply.status == 404
    assert "reader@example.com" not in reply.text
    assert (await find_account("reader@example.com")).id == reader.account.id
