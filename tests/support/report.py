"""What became of the events that were posted to a daemon in trouble."""

from collections import Counter
from dataclasses import dataclass

from models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryStatus, Event
from models.database import open_database
from pingpilot.channels import direct_channels
from tests.support.load import Load


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the events; `arrived`, and `interrupted` while being sent, are by channel.

    `refused` counts the answers other than 200, by status and code; `open` the deliveries that are not
    known to be delivered after the daemon's last stop, by channel.
    """

    accepted: set[str]
    refused: Counter[tuple[int, str]]
    stored: Counter[str]
    arrived: dict[str, Counter[str]]
    interrupted: dict[str, Counter[str]]
    open: Counter[str]

    def lost(self, channel: str) -> set[str]:
        """Return the accepted events that never arrived."""
        return self.accepted - self.arrived[channel].keys()

    def doubled(self, channel: str) -> Counter[str]:
        """Return how many times too often an event arrived."""
        return self.arrived[channel] - Counter(self.arrived[channel].keys())

    def __str__(self) -> str:
        refused = dict(self.refused)
        total = f"accepted {len(self.accepted)}, stored {self.stored.total()}, refused meanwhile {refused}"
        return "\n".join([total, *(self._line(channel) for channel in direct_channels())])

    def _line(self, channel: str) -> str:
        lost, doubled = len(self.lost(channel)), self.doubled(channel).total()
        cut_off = self.interrupted[channel].total()
        return f"{channel}: lost {lost}, doubled {doubled}, sends cut off {cut_off}"


async def report_on(load: Load, database_url: str) -> Report:
    """Return what a load has come to, once its daemon has stopped."""
    async with open_database(database_url):
        stored = Counter([event.description for event in await Event.all()])
        cut_off = await DeliveryAttempt.filter(outcome=AttemptOutcome.INTERRUPTED).prefetch_related(
            "delivery__event"
        )
        unsettled = await Delivery.exclude(status=DeliveryStatus.DELIVERED)
    interrupted = {name: Counter[str]() for name in direct_channels()}
    for attempt in cut_off:
        interrupted[attempt.delivery.channel][attempt.delivery.event.description] += 1
    open_ = Counter(each.channel for each in unsettled)
    return Report(load.accepted, load.refused, stored, load.arrived, interrupted, open_)
