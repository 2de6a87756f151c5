"""What the page of destinations says of each, and of a code that waits to be used."""

from dataclasses import dataclass
from datetime import datetime

from api.dashboard.states import DestinationState, state_of
from api.services import Services
from models import Account, Category, Delivery, DeliveryStatus, Destination, LinkCode
from models.destination import DestinationKind
from models.names import split
from pingpilot.accounts.destinations import destinations_of
from pingpilot.accounts.quiet_hours import end_of_mute, hours_text
from pingpilot.channels import CHANNELS, ChannelKind
from pingpilot.events.deliveries import trouble_of
from pingpilot.events.notices import latest_tests
from pingpilot.rendering.text import one_line

_SHOWN_OF_ID = 4  # characters: the owner knows it again
_ROOMS = (DestinationKind.ROOM, DestinationKind.TOPIC)


@dataclass(frozen=True, slots=True)
class Said:
    """Something that is told in a tone: `good`, `waiting`, `bad`."""

    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Card:
    """A destination as its owner sees it.

    `place` is whom it reaches, `by` who linked a room; `categories` are those that name it; `test` tells how
    its last test of this hour went, None where there was none.
    """

    row: Destination
    kind: ChannelKind
    state: DestinationState
    place: str
    by: str
    quiet: tuple[str, str] | None
    muted_until: datetime | None
    categories: list[str]
    test: Said | None
    is_set_up: bool

    @property
    def is_direct(self) -> bool:
        return self.row.kind == DestinationKind.DIRECT

    @property
    def title(self) -> str:
        return self.kind.label if self.is_direct else self.row.name

    @property
    def is_linked(self) -> bool:
        """Whether it leads somewhere: a chat was linked, a mailbox confirmed."""
        return self.row.address is not None

    @property
    def takes_mentions(self) -> bool:
        return self.kind.mentions and self.row.kind in _ROOMS


async def cards_of(account: Account, services: Services, now: datetime) -> list[Card]:
    """Return the account's destinations, the direct ones first."""
    rows = await destinations_of(account)
    categories = await Category.filter(account_id=account.id).order_by("name")
    tests = await latest_tests(rows, now)
    return [
        Card(
            row=row,
            kind=CHANNELS[row.channel],
            state=state_of(row, services.health, now),
            place=_place_of(row),
            by=_who_linked(row) if row.kind in _ROOMS else "",
            quiet=hours_text(row.quiet_from, row.quiet_until)
            if row.quiet_from is not None and row.quiet_until is not None
            else None,
            muted_until=end_of_mute(row.muted_until, now),
            categories=[
                each.name
                for each in categories
                if row.name in (split(each.channels) or ()) or each.fallback == row.name
            ],
            test=await _test_in_words(tests[row.name]) if row.name in tests else None,
            is_set_up=not services.health.is_off(row.channel),
        )
        for row in rows
    ]


async def state_of_code(account: Account, code_id: int, now: datetime) -> Said:
    """Return what became of a link code of the account's."""
    code = await LinkCode.get_or_none(id=code_id, account_id=account.id)
    if code is not None and code.used_at is not None:
        linked = await Destination.filter(account_id=account.id, linked_at=code.used_at).first()
        where = f"'{linked.name}'" if linked else "a chat"
        return Said("good", f"Linked: events go to {where} from now on.")
    if code is None or not code.is_valid(now):
        return Said("bad", "This code has expired: get a new one.")
    return Said("waiting", "Waiting for the code to be sent. This page notices it.")


def _place_of(row: Destination) -> str:
    if row.kind == DestinationKind.DIRECT and CHANNELS[row.channel].needs_link:
        return f"your chat with the bot, {_who_linked(row)}" if row.address else "your chat with the bot"
    if row.kind in _ROOMS:
        return one_line(row.title or row.kind)
    return row.address or row.title or ""


def _who_linked(row: Destination) -> str:
    return f"@{row.username}" if row.username else f"the user …{(row.user_id or '')[-_SHOWN_OF_ID:]}"


async def _test_in_words(delivery: Delivery) -> Said:
    if delivery.status == DeliveryStatus.DELIVERED:
        return Said("good", "The last test arrived.")
    if delivery.status == DeliveryStatus.FAILED:
        return Said("bad", f"The last test did not arrive: {delivery.last_error}")
    trouble = await trouble_of(delivery)
    return Said("waiting", f"A test is on its way{f': {trouble}' if trouble else '.'}")
