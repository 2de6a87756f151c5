"""A shop that has sent events for a month: what its account's tables hold by then."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models import Account, Category, Delivery, DeliveryStatus, Event
from models.activity import CategoryActivity, slot_of
from models.category_usage import CategoryUsage
from models.database import open_database
from models.delivery_attempt import AttemptOutcome, DeliveryAttempt
from models.ids import first_id_at
from models.monthly_usage import MonthlyUsage
from pingpilot.accounts.quota import month_of

DAYS = 30
_LISTED = timedelta(hours=30)
"""How far back there are events; before that, there are their counts."""
_FULL = "The mail server refuses the message: 552 the mailbox is full."
_PLACES = (("discord", "discord"), ("telegram", "telegram"), ("email", "email"), ("webhook", "program"))


@dataclass(frozen=True, slots=True)
class Kind:
    """A category of the shop's, how many events a day it has, and what these say."""

    name: str
    emoji: str
    color: str
    a_day: int
    says: Sequence[tuple[str, str, dict[str, str | float | bool]]]


SHOP = (
    Kind("sale", "💰", "#d99a00", 13, [
        ("Order 1041", "Grace bought a Floor lamp", {"amount": 129.0, "country": "GB", "returning": True}),
        ("Order 1040", "Linus bought 4 × Bulb E27", {"amount": 23.6, "country": "FI", "returning": False}),
        ("Order 1039", "Barbara bought a Desk lamp", {"amount": 79.0, "country": "US", "returning": True}),
        ("Order 1038", "Alan bought 2 × Wall light", {"amount": 98.0, "country": "GB", "returning": False}),
    ]),
    Kind("signup", "👋", "#3b82f6", 6, [
        ("", "edsger@example.org signed up", {"plan": "Free", "from": "newsletter"}),
        ("", "margaret@example.org signed up", {"plan": "Premium", "from": "search"}),
        ("", "radia@example.org signed up", {"plan": "Free", "from": "a friend"}),
    ]),
    Kind("error", "🐛", "#e5484d", 2, [
        ("ConnectionRefusedError in charge()", "The payment provider refuses connections",
         {"order": 1037, "host": "web-3"}),
        ("Slow query on /reports", "It took 4.2 s", {"p95": "4.2 s", "since": "2.14.0"}),
    ]),
    Kind("backup", "📦", "#8b5cf6", 1, [
        ("Nightly backup done", "All tables, verified", {"size": "1.8 GB", "took": "84 s"}),
    ]),
)  # fmt: skip


async def fill(database_url: str, email: str) -> None:
    """Give the account a month of counts, and events for the last day and a half; its plan is Pro."""
    chance, now = random.Random(1042), datetime.now(UTC)  # noqa: S311  # the same pictures each time
    async with open_database(database_url):
        account = await Account.get(email=email)
        await Account.filter(id=account.id).update(plan="pro")
        await Category.filter(account_id=account.id).delete()
        for kind in SHOP:
            await Category.create(
                account=account, name=kind.name, emoji=kind.emoji, color=kind.color, created_at=now
            )
            times = sorted(_times(kind, now, chance))
            slots = [slot_of(each) for each in times]
            await CategoryActivity.bulk_create(
                CategoryActivity(account=account, slot=slot, category=kind.name, events=slots.count(slot))
                for slot in set(slots)
            )
            this_month = [each for each in times if month_of(each) == month_of(now)]
            await CategoryUsage.create(
                account=account,
                category=kind.name,
                month=month_of(now),
                events=len(this_month),
                last_event_at=times[-1],
            )
            for number, at in enumerate(each for each in reversed(times) if now - each < _LISTED):
                await _store(account, kind, number, at, chance)
        counts = await CategoryUsage.filter(account_id=account.id).values_list("events", flat=True)
        used = sum(int(str(count)) for count in counts)
        await MonthlyUsage.update_or_create(
            {"events": used, "told_percent": 80}, account=account, month=month_of(now)
        )


def _times(kind: Kind, now: datetime, chance: random.Random) -> list[datetime]:
    """Return when events of a kind came: a shop is quiet at weekends, and grows."""
    times = []
    for back in range(DAYS):
        day = now - timedelta(days=back)
        busy = (0.55 if day.weekday() >= 5 else 1.0) * (1.15 - back / 60)  # Saturday
        count = kind.a_day if kind.a_day == 1 else round(kind.a_day * busy * chance.uniform(0.6, 1.4))
        times += [day - timedelta(minutes=9 + chance.random() * 1300) for _ in range(count)]
    return times


async def _store(account: Account, kind: Kind, number: int, at: datetime, chance: random.Random) -> None:
    title, description, fields = kind.says[number % len(kind.says)]
    event = await Event.create(
        id=UUID(int=first_id_at(at).int | chance.getrandbits(62)),
        account=account,
        category=kind.name,
        title=title or None,
        description=description,
        fields_json=json.dumps(fields),
        created_at=at,
    )
    for channel, destination in _PLACES:
        fails = channel == "email" and kind.name == "error" and number == 0
        delivery = await Delivery.create(
            event=event,
            account=account,
            channel=channel,
            destination=destination,
            status=DeliveryStatus.FAILED if fails else DeliveryStatus.DELIVERED,
            attempts=1,
            last_error=_FULL if fails else None,
            delivered_at=None if fails else at,
        )
        await DeliveryAttempt.create(
            delivery=delivery,
            started_at=at,
            duration_ms=chance.randint(90, 480),
            outcome=AttemptOutcome.FAILED if fails else AttemptOutcome.DELIVERED,
            reason=_FULL if fails else None,
        )
