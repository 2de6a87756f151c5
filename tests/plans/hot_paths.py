"""What a running program does all day, each thing at least once, over the open database.

Nothing here names a statement. Calls of the API and routes of the dashboard are taken from their own tables,
so that a new one is gone through by itself.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from api.app import CALLS
from bots.commands import Commands
from models import Account, Bot, Destination, Event, Fact, IncomingUpdate, Plan
from models.ids import event_id_text
from pingpilot.accounts.accounts import accounts_without_channel, has_operator
from pingpilot.accounts.exporting import export_account
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.linking import ChatUser, create_link_code
from pingpilot.accounts.preferences import switch_channel
from pingpilot.accounts.quiet_hours import mute
from pingpilot.accounts.quota import PlanLimits
from pingpilot.accounts.rooms import Room, linked_rooms
from pingpilot.accounts.sign_up import Newcomers, SignUp
from pingpilot.channels import CHANNELS, TELEGRAM, Rate
from pingpilot.delivery.channel import Recipient
from pingpilot.errors import PermanentFailure, RateLimited, RecipientMoved, TemporaryFailure
from pingpilot.events.deliveries import Selection, count_deliveries, list_deliveries, retry_deliveries
from pingpilot.events.former_bots import look_after_former_bots, welcome_back
from pingpilot.events.history import EventStatus
from pingpilot.events.offers import offer_channels
from pingpilot.storage.housekeeping import Housekeeper
from tests.dashboard.people import Person, a_person
from tests.dashboard.routes import ROUTES, filled, furnish
from tests.engine.scripted import ScriptedChannel
from tests.http.api import Api, Program
from tests.support.composition import running

from .filling import DAYS, DEAD_DAEMON, fill

SENT = 40
"""Messages that each channel sends: the queue stays long."""
_OLD = 0.3  # days of the history that are too old


@dataclass(frozen=True, slots=True)
class Prepared:
    """Two programs with a history, and things of the large one's: two events, and one of everything."""

    large: Program
    medium: Program
    recent: str
    old: str
    things: Mapping[str, str]

    def over(self, api: Api) -> "Prepared":
        """Return the same over another composition of the program."""
        return replace(self, large=replace(self.large, api=api), medium=replace(self.medium, api=api))


async def prepare(api: Api, url: str) -> Prepared:
    """Make accounts with a history, before anybody watches."""
    large = await api.sign_up("large@example.com", plan=Plan.ENTERPRISE, channels=["telegram", "email"])
    medium = await api.sign_up("medium@example.com", plan=Plan.ENTERPRISE)
    await large.link(TELEGRAM.name)
    await fill(url, large.account.id, medium.account.id, api.clock.now())
    events = Event.filter(account_id=large.account.id)
    old, recent = await events.order_by("id").offset(100).first(), await events.order_by("-id").first()
    assert old is not None
    assert recent is not None
    things = await furnish(api, large.account, "Something that was bought")
    spare, _ = await create_key(large.account, "spare", api.clock.now())
    things |= {"spare": str(spare.id)}
    return Prepared(large, medium, event_id_text(recent.id), event_id_text(old.id), things)


async def go(api: Api, prepared: Prepared) -> None:
    """Go through everything, what changes most last."""
    large, medium = prepared.large, prepared.medium
    await _accept(api, large, medium)
    await _call_everything(prepared)
    await _look_at_every_page(api, prepared)
    await _look_after_accounts(api, large.account)
    await _talk_to_bots(api, large.account)
    await _deliver(api)
    await _export(medium.account)
    await _export(large.account)
    await Housekeeper(clock=api.clock, retention=timedelta(days=DAYS - _OLD)).tidy()
    await api.services.deletions.ask_for(medium.account)
    await api.services.deletions.finish()


async def _accept(api: Api, large: Program, medium: Program) -> None:
    assert "nowhere" in (await medium.post()).text
    named = {"Idempotency_Key": "once"}
    for body in ({"category": "sale"}, {"category": "sale"}, {"category": "bug"}, {"category": "nothing"}):
        await large.post(body, **named)
    await large.post({"category": "nothing"})
    small = await api.sign_up("small@example.com", monthly_events=1, channels=["email"])
    at_once = [large.post({"category": "sale", "fields": {"amount": 1}}) for _ in range(20)]
    at_once += [small.post() for _ in range(3)]
    statuses = [each.status for each in await asyncio.gather(*at_once)]
    assert statuses.count(429) == 2
    await large.post(Prefer="wait=1")


async def _call_everything(prepared: Prepared) -> None:
    """Make each call of the API; what it answers is others' business, but nothing may go wrong."""
    large = prepared.large
    values = {"event_id": prepared.recent, "channel": "telegram", "key_id": prepared.things["spare"]}
    bodies: dict[tuple[str, str], object] = {
        ("POST", "/api/v1/event"): {"category": "sale"},
        ("POST", "/api/v1/events"): {"category": "sale"},
        ("POST", "/api/v1/categories"): {"name": "new"},
        ("PATCH", "/api/v1/categories/{name}"): {"urgent": True},
        ("PATCH", "/api/v1/account"): {"timeZone": "Europe/Berlin"},
        ("POST", "/api/v1/destinations"): {"name": "hook", "kind": "webhook", "url": "https://example.com/"},
        ("PATCH", "/api/v1/destinations/{name}"): {"enabled": True},
        ("POST", "/api/v1/link-codes"): {},
        ("POST", "/api/v1/keys"): {"name": "another"},
        ("POST", "/api/v1/keys/{key_id}/rotate"): {"overlap": "1h"},
    }
    order = {"GET": 0, "POST": 1, "PATCH": 2, "DELETE": 3}
    for call in sorted(CALLS, key=lambda each: order[each.method]):
        own = {**values, "name": "sale" if call.method == "GET" else "new"}
        if "/destinations/" in call.path:
            own["name"] = "place-1"
        answer = await large.ask(call.method, call.path.format(**own), bodies.get((call.method, call.path)))
        assert answer.status < 500, (call.path, answer.text)
    filters = ["category=sale", "category=rare", "category=none"]
    filters += [f"status={each}" for each in EventStatus]
    filters += [f"category=bug&status={each}" for each in EventStatus]
    for each in filters:
        page = await large.get(f"/api/v1/events?{each}")
        assert page.status == 200, page.text


async def _look_at_every_page(api: Api, prepared: Prepared) -> None:
    """Open each page and send each form, signed in as an operator; those that end the session come last."""
    api.services.newcomers = Newcomers(SignUp.OPEN)
    async with a_person(api) as person:
        await person.sign_in(prepared.large.account)
        day, old = f"{api.clock.now() - timedelta(days=DAYS / 2):%Y-%m-%d}", prepared.old
        for filters in (
            *(f"status={each}" for each in EventStatus),
            f"before={old}",
            f"after={old}",
            f"category=bug&status=FAILED&from={day}",
            f"destination=telegram&from={day}&to={day}",
            *(f"destination=telegram&status={each}" for each in EventStatus),
            "destination=ops&status=DELIVERED",
            "category=rare&destination=telegram",
            f"text=lamps&from={day}&to={day}",
            "text=nowhere&category=sale",
        ):
            await _open(person, f"/events?{filters}")
        for path in ("/categories/sale", "/categories/sale/events.csv", "/operator/accounts?containing=9"):
            await _open(person, path)
        for name in sorted(ROUTES, key=lambda each: (each.startswith("POST"), "sign-out" in each)):
            path, form = filled(ROUTES[name], prepared.things)
            if name.startswith("POST"):
                answer = await person.post(path, form)
                assert answer.status < 500, (name, answer.text)
            elif name == "GET /live":
                async with person.session.get(api.url + path) as stream:
                    await stream.content.readline()
            else:
                await _open(person, path)


async def _open(person: Person, path: str) -> None:
    answer = await person.get(path)
    assert answer.status < 400, (path, answer.text)


async def _look_after_accounts(api: Api, account: Account) -> None:
    """What the start, the doctor and the command line ask."""
    now, configured = api.clock.now(), [kind.name for kind in CHANNELS.values()]
    await accounts_without_channel(configured)
    await has_operator()
    for selection in (
        Selection(account.id),
        Selection(status="failed"),
        Selection(account.id, status="failed"),
        Selection(account.id, status="failed", channel="telegram", destination="telegram"),
        Selection(account.id, destination="ops"),
    ):
        await list_deliveries(selection, most=50)
        if selection.status:
            await count_deliveries(selection)
    await retry_deliveries(Selection(account.id, channel="webhook"), now)
    await mute(account, "telegram", now + timedelta(hours=1), now=now)
    await mute(account, "telegram", None, now=now)
    await switch_channel(account, "email", on=True, now=now)
    await linked_rooms("telegram")
    await Bot.register("telegram", ["telegram:1", "telegram:2"])
    await Bot.register("telegram", ["telegram:1"])
    await Destination.filter(account_id=account.id, name="place-1").update(lane=1)
    await look_after_former_bots("telegram", now)
    await Bot.register("telegram", ["telegram:1", "telegram:2"])
    await welcome_back("telegram")
    await api.services.backlog.refresh()
    await offer_channels(configured, now)


async def _talk_to_bots(api: Api, account: Account) -> None:
    async def send(recipient: Recipient, notification: object) -> None:
        """Say nothing to anybody."""

    commands = Commands(
        limits=PlanLimits(), clock=api.clock, on_deliveries=lambda _: None, send=send, base_url=""
    )
    user, room = ChatUser("telegram", "4711", "ada"), Room("telegram", "-55", title="Team", topic=None)
    code = await create_link_code(account, api.clock.now())
    await commands.link(user, "WRONGONE", address="4711")
    await commands.link(user, code.code, address="4711")
    for command in (
        commands.categories,
        commands.quota,
        commands.failed,
        commands.dashboard,
        commands.unmute,
    ):
        await command(user)
    await commands.mute(user, "1h")
    await commands.unmute(user)
    await commands.retry(user, "retry:all")
    others = Commands(
        limits=PlanLimits(), clock=api.clock, on_deliveries=lambda _: None, send=send, base_url="", lane=1
    )
    code = await create_link_code(account, api.clock.now())
    await others.link(user, code.code, address="4711")
    code = await create_link_code(account, api.clock.now())
    await commands.link(user, code.code, address="4711")
    code = await create_link_code(account, api.clock.now(), room="team")
    await commands.rooms.link(user, room, code.code)
    await commands.rooms.unlink(user, room)
    await commands.rooms.suspend("telegram", "-6", "The bot was removed.")
    await IncomingUpdate.keep("telegram:42", 5000, "sealed", api.clock.now())
    await IncomingUpdate.count_waiting("telegram:42", 1000)
    for taken in await IncomingUpdate.take("telegram:42", "a-term", 8):
        await IncomingUpdate.finish(taken.id, "a-term")
    await Fact.take_turn("discord.session.42", timedelta(hours=1))
    await Fact.take_turn("discord.session.42", timedelta(hours=1))


async def _deliver(api: Api) -> None:
    """Let each channel's dispatcher work for a while, after a dead one, with failures of every kind."""
    for name in CHANNELS:
        channel = ScriptedChannel()
        channel.name = name
        channel.fail(
            TemporaryFailure("Timed out."),
            PermanentFailure("No such chat.", recipient_gone=True),
            PermanentFailure("Too long."),
            PermanentFailure("Not here.", recipient_refused=True),
            RateLimited("Slower.", retry_after=timedelta(seconds=5), whole_channel=False),
            RecipientMoved("It moved.", address="-77", topic=None),
        )
        dispatcher = api.composition.dispatcher(
            channel,
            predecessors=[DEAD_DAEMON],
            pace=(None, Rate(per_second=1000, burst=1000)),  # so that it looks at what was sent lately
            slots=5,
            poll=timedelta(milliseconds=10),
        )
        async with running(dispatcher, grace=timedelta(seconds=5)):
            if name in ("telegram", "email"):
                await channel.wait_for_tries(SENT)
            else:
                await asyncio.sleep(0.05)


async def _export(account: Account) -> None:
    """Read the first thousand events of an account."""
    pieces = export_account(account)
    for _ in range(1000):
        if await anext(pieces, None) is None:
            break
