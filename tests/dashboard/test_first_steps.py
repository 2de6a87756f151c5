"""The first steps: a place to deliver to, an event, its arrival; and the page for those not signed in."""

import asyncio
import re
import shutil
import sys
from html import unescape

import pytest

from models import Account, ApiKey, Delivery, Destination, Event, Fact, LinkCode, MonthlyUsage
from pingpilot.accounts.linking import DISCORD_INSTALL, TELEGRAM_USERNAME, ChatUser, link
from pingpilot.errors import PermanentFailure
from tests.http.api import ON_SQLITE, Api
from tests.http.channels import ScriptedChannel, dispatching
from tests.support.clock import ManualClock
from tests.support.events import accept
from tests.support.mailer import Mailer
from tests.support.waiting import eventually

from .people import Person, text_of
from .test_keys import key_in


@pytest.fixture
async def new(api: Api) -> Account:
    """A new account, whose events go nowhere."""
    api.services.senders = {name: Mailer() for name in ("discord", "telegram", "email")}
    return (await api.sign_up("new@example.com")).account


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@ON_SQLITE
async def test_who_is_not_signed_in_sees_what_this_is_and_a_way_in(api: Api, method: str) -> None:
    page = await api.call(method, "/", headers={"Accept": "text/html"})
    program = await api.call(method, "/")

    assert (page.status, program.status) == (200, 404)
    if method == "GET":
        assert "one HTTP request" in text_of(page)
        assert 'action="./sign-in"' in page.text
        assert 'href="./docs"' in page.text
        assert program.body["code"] == "not_found"


async def test_a_chat_is_linked_with_a_code_that_a_button_makes(
    api: Api, person: Person, new: Account, clock: ManualClock
) -> None:
    await Fact.keep(TELEGRAM_USERNAME, "ping_bot")
    await Fact.keep(DISCORD_INSTALL, "https://discord.com/oauth2/authorize?client_id=1")
    await person.sign_in(new)
    looked = await person.get("/")
    untouched = await LinkCode.exists()

    page = await person.post("/", {"do": "code"})
    found = re.search(r"https://t\.me/ping_bot\?start=([A-Z0-9]{8})", page.text)
    assert found
    telegram = ChatUser("telegram", "4711", "new")
    await link(telegram, found[1], address="4711", now=clock.now())
    linked = await person.get("/?steps")

    assert "Nowhere yet." in text_of(looked)
    assert not untouched
    assert f"/link {found[1]}" in text_of(page)
    assert "until 2026-" in text_of(page)
    assert '<svg viewBox="0 0 ' in page.text
    assert "client_id=1" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "They go to Telegram." in text_of(linked)
    assert 'id="steps-chats-discord"' in linked.text


@ON_SQLITE
async def test_only_what_the_server_is_set_up_for_is_offered(
    api: Api, person: Person, new: Account, clock: ManualClock
) -> None:
    await person.sign_in(new)

    api.services.senders = {"email": api.mailer}
    with_mail = text_of(await person.get("/"))
    switched_on = await person.post("/", {"do": "email"})
    mailed = text_of(await person.get("/"))
    api.services.senders = {}
    with_nothing = text_of(await person.get("/"))
    refused = await person.post("/", {"do": "email"})

    assert "Send them to new@example.com" in with_mail
    assert "Telegram or" not in with_mail
    assert "Get a code" not in with_mail
    assert switched_on.headers["Location"] == "./?steps"
    assert "They go to E-mail." in mailed
    assert "set up for no channel yet" in with_nothing
    assert (refused.status, "can't be switched on" in text_of(refused)) == (400, True)


@ON_SQLITE
@pytest.mark.timeout(300)
async def test_the_commands_send_an_event_with_the_key_that_a_button_made(
    api: Api, person: Person, new: Account
) -> None:
    api.services.base_url = api.url
    await person.sign_in(new)
    before = await person.get("/")
    assert "pp_…" in before.text
    assert await ApiKey.filter(account_id=new.id).count() == 1

    page = await person.post("/", {"do": "key"})
    key_in(page.text)
    commands = [unescape(each) for each in re.findall(r"<pre><code>(.*?)</code></pre>", page.text, re.DOTALL)]
    programs = [["bash", "-c"], [sys.executable, "-c"], [sys.executable, "-c"], ["node", "-e"]]
    for program, command in zip(programs, commands, strict=True):
        if shutil.which(program[0]) is None:
            continue
        process = await asyncio.create_subprocess_exec(
            *program, command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert b"evt_" in out, (command, out, err)

    assert await Event.filter(description="My first event").count() >= 3
    [made] = await ApiKey.filter(account_id=new.id, name="first steps")
    assert made.scope == "send"
    await person.post("/", {"do": "key"})
    assert await ApiKey.exists(account_id=new.id, name="first steps 2")


async def test_a_button_sends_an_event_that_is_charged_and_its_arrival_is_seen(
    api: Api, person: Person, ada: Account
) -> None:
    await person.sign_in(ada)
    channel = ScriptedChannel("email")
    channel.gate.clear()
    async with dispatching(api, channel):
        sent = await person.post("/", {"do": "send"})
        under_way = text_of(await person.get("/"))
        channel.gate.set()
        await eventually(_is_delivered, True)

    done, later = text_of(await person.get("/?steps")), text_of(await person.get("/"))
    assert sent.headers["Location"] == "./?steps"
    assert "On its way: E-mail" in under_way
    assert [each.description for each in channel.sent] == ["My first event"]
    assert [row.events for row in await MonthlyUsage.all()] == [1]
    assert "It arrived: E-mail." in done
    assert done.count("(done)") == 3
    assert "First steps" not in later


async def test_what_fails_tells_why_and_what_to_do(api: Api, person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    channel = ScriptedChannel("email")
    channel.failure = PermanentFailure("The mailbox is full.")
    async with dispatching(api, channel):
        await person.post("/", {"do": "send"})
        await eventually(_is_failed, True)

    page = await person.get("/")

    assert "E-mail: The mailbox is full." in text_of(page)
    assert "Look at the event" in page.text


@ON_SQLITE
async def test_what_can_not_be_sent_is_said_in_place(api: Api, person: Person, new: Account) -> None:
    await person.sign_in(new)
    nowhere = await person.post("/", {"do": "send"})
    told = text_of(await person.get("/"))
    await Destination.filter(account_id=new.id, name="discord").update(enabled=True)
    unlinked = await person.post("/", {"do": "send"})
    warned = text_of(await person.get("/"))
    await person.post("/", {"do": "off", "channel": "discord"})
    wrong = await person.post("/", {"do": "off", "channel": "<b>"})
    new.monthly_events = 1
    await new.save()
    over = await person.post("/", {"do": "send"})

    assert nowhere.status == 303
    assert "went nowhere: no destination could take it" in told
    assert (unlinked.status, over.status) == (400, 400)
    assert "would be refused: Discord is switched on" in text_of(unlinked)
    assert "Discord is switched on, and no chat is linked" in warned
    assert not (await Destination.get(account_id=new.id, name="discord")).enabled
    assert (wrong.status, "is not a channel" in text_of(wrong)) == (400, True)
    assert "This month's 1 events are used up" in text_of(over)
    assert await Event.filter(account_id=new.id).count() == 1


@ON_SQLITE
async def test_the_steps_are_hidden_for_their_account_and_come_back_for_no_old_one(
    api: Api, person: Person, new: Account, eve: Account, clock: ManualClock
) -> None:
    await person.sign_in(new)
    await person.post("/", {"do": "hide"})
    hidden = text_of(await person.get("/"))
    await person.sign_in(eve)
    others = text_of(await person.get("/"))
    await accept(eve, clock, "sale")
    await Event.all().delete()  # as housekeeping does
    old = text_of(await person.get("/"))

    assert ["First steps" in each for each in (hidden, others, old)] == [False, True, False]


@ON_SQLITE
async def test_a_code_is_not_given_too_often(person: Person, new: Account) -> None:
    await person.sign_in(new)
    for _ in range(10):
        await person.post("/", {"do": "code"})

    refused = await person.post("/", {"do": "code"})

    assert refused.status == 400
    assert "10 codes in the last 10 minutes" in text_of(refused)


@ON_SQLITE
async def test_a_form_without_a_session_leads_to_the_sign_in_page(person: Person, api: Api) -> None:
    assert (await person.post("/", {"do": "key"})).headers["Location"] == "./sign-in"
    assert (await api.call("POST", "/")).verdict == (404, "not_found")
    assert not await ApiKey.exists()


async def _is_delivered() -> bool:
    return await Delivery.exists(status="delivered")


async def _is_failed() -> bool:
    return await Delivery.exists(status="failed")
