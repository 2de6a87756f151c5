"""The first steps of a new account: somewhere to deliver to, a first event, and its arrival.

They stand on the overview until an event arrived. Codes and keys are made by the buttons alone: browsers
and chats open addresses before anybody asks them to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from aiohttp import web

from api.dashboard.qr import qr_code
from api.dashboard.states import delivery_words
from api.dashboard.visitors import Visitor, has_hidden_steps
from api.errors import ApiError
from api.requests.submitting import submit
from api.services import SERVICES, Services
from models import Account, ApiKey, Category, Delivery, DeliveryStatus, Destination, KeyScope, MonthlyUsage
from models.destination import obstacle_to
from models.ids import event_id_text
from pingpilot.accounts.destinations import label_of
from pingpilot.accounts.keys import KeyRights, create_key
from pingpilot.accounts.linking import NewLinkCode, create_link_code
from pingpilot.accounts.preferences import AccountChange, ChannelChange, change_account
from pingpilot.channels import CHANNELS, EMAIL
from pingpilot.errors import PingPilotError
from pingpilot.events.history import EventPage, ListedEvent
from pingpilot.events.submission import Submission

KEY_NAME = "first steps"
DESCRIPTION = "My first event"
_USUAL = "sale"  # among the categories that an account begins with


@dataclass(frozen=True, slots=True)
class Given:
    """What a button got: shown in its answer, this once."""

    code: NewLinkCode | None = None
    qr: str = ""
    key: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of the first events. `tone` is `good`, `waiting` or `bad`, `event` the one meant."""

    tone: str
    words: str
    event: str


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """How far an account has got.

    `reached` are the places that its events go to, `chats` the channels on which it could link one, `email`
    its address where mails can be sent and are switched off. While a channel of `unlinked` is on, every event
    is refused. `category` is for the example, "" without any.
    """

    reached: list[str]
    unlinked: list[str]
    chats: list[str]
    email: str
    category: str
    arrival: Arrival | None
    given: Given = field(default_factory=Given)

    @property
    def is_reachable(self) -> bool:
        return bool(self.reached) and not self.unlinked

    @property
    def is_done(self) -> bool:
        return self.arrival is not None and self.arrival.tone == "good"


async def first_steps_of(
    request: web.Request,
    visitor: Visitor,
    rows: Sequence[Destination],
    latest: EventPage,
    given: Given | None = None,
) -> FirstSteps | None:
    """Return how far the account has got; None for one that needs no steps, or whose owner hid them.

    `latest` are its latest events. A page that shows the steps asks for itself with `?steps`: it shows the
    last one done, too.
    """
    account, services = visitor.account, request.app[SERVICES]
    arrival = _arrival(latest.events) if latest.events else None
    if given is None and "steps" not in request.query:
        is_done = arrival is not None and arrival.tone == "good"
        if is_done or has_hidden_steps(request, visitor) or latest.next_before is not None:
            return None
        if arrival is None and await MonthlyUsage.exists(account_id=account.id, events__gt=0):
            return None  # its events are older than what is kept
    usable = [row for row in rows if row.channel in services.senders and _is_usable(row)]
    direct = {row.channel: row for row in rows if row.name == row.channel}
    chats = [kind.name for kind in CHANNELS.values() if kind.needs_link and direct[kind.name].address is None]
    return FirstSteps(
        reached=[label_of(row.name) for row in usable],
        unlinked=[name for name in chats if direct[name].enabled],
        chats=[name for name in chats if name in services.senders],
        email=account.email if EMAIL.name in services.senders and not _is_usable(direct[EMAIL.name]) else "",
        category=await _category_of(account),
        arrival=arrival,
        given=given or Given(),
    )


async def carry_out(form: Mapping[str, str], request: web.Request, visitor: Visitor) -> Given | None:
    """Do what a button asks for; return what its answer shows, None where the overview is all of it."""
    account, services = visitor.account, request.app[SERVICES]
    now = services.clock.now()
    try:
        match form.get("do"):
            case "code":
                code = await create_link_code(account, now)
                return Given(code=code, qr=qr_code(code.telegram_url) if code.telegram_url else "")
            case "email":
                await _switch_mails_on(account, services)
            case "off":
                off = AccountChange(channels={form.get("channel", ""): ChannelChange(enabled=False)})
                await change_account(account, off, now)
            case "key":
                taken = {each.name for each in await ApiKey.in_force(now).filter(account_id=account.id)}
                names = (f"{KEY_NAME} {number}" if number > 1 else KEY_NAME for number in count(1))
                name = next(each for each in names if each not in taken)
                _, key = await create_key(account, name, now, KeyRights(KeyScope.SEND))
                return Given(key=key)
            case "send":
                await _send(account, services)
    except (ApiError, PingPilotError) as exc:
        return Given(problem=str(exc))
    return None


async def _switch_mails_on(account: Account, services: Services) -> None:
    if EMAIL.name not in services.senders:  # its events would wait for ever
        raise ApiError("channel_not_configured", channels=EMAIL.label)
    on = AccountChange(channels={EMAIL.name: ChannelChange(enabled=True)})
    await change_account(account, on, services.clock.now())


async def _send(account: Account, services: Services) -> None:
    """Send a first event, as a program would: it is checked and charged as any."""
    caller = await services.authenticator.owner_of(account)
    if caller.unlinked:
        labels = " and ".join(CHANNELS[name].label for name in caller.unlinked)
        are = "is" if len(caller.unlinked) == 1 else "are"
        raise _NotYet(f"An event would be refused: {labels} {are} switched on, and not linked to a chat yet.")
    category = await _category_of(account)
    if not category:
        raise _NotYet("The account has no category, so every event is refused: make one in the settings.")
    await submit(services, Submission(caller, category, DESCRIPTION, "{}"))


class _NotYet(PingPilotError):
    """An event would be refused, as a program's would."""


def _arrival(events: Sequence[ListedEvent]) -> Arrival:
    """Return what became of an account's events, newest first: the best of them, else of the newest."""
    for each in events:
        if arrived := [own for own in each.deliveries if own.status == DeliveryStatus.DELIVERED]:
            places = " and ".join(label_of(own.destination) for own in arrived)
            return Arrival("good", f"It arrived: {places}.", event_id_text(each.event.id))
    newest = events[0]
    event_id = event_id_text(newest.event.id)
    if not newest.deliveries:
        words = "It is stored, and went nowhere: no destination could take it. Do step 1, then send another."
        return Arrival("bad", words, event_id)
    if failed := Delivery.failed_for_good(newest.deliveries):
        return Arrival("bad", f"{label_of(failed[0].destination)}: {failed[0].last_error}", event_id)
    waiting = newest.deliveries[0]
    words = f"On its way: {delivery_words(waiting).label}, {delivery_words(waiting).state}."
    if waiting.last_error:
        words += f" The last try failed: {waiting.last_error}"
    return Arrival("waiting", words, event_id)


async def _category_of(account: Account) -> str:
    own = await Category.filter(account_id=account.id).order_by("name")
    names = [each.name for each in own]
    return _USUAL if _USUAL in names else next(iter(names), "")


def _is_usable(row: Destination) -> bool:
    return not obstacle_to(enabled=row.enabled, address=row.address, suspended_reason=row.suspended_reason)
