"""The daemon's metrics, declared in one place, for `GET /metrics`.

No label names an account, a person or anything a caller chose: whoever may read the metrics learns
nothing of them, and nobody can make them grow.
"""

from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from pingpilot.telemetry.health import PartState, State

OTHER_CALL = "other"
"""The `call` of all requests to addresses, or by methods, that do not exist."""
_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_ATTEMPT_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90)  # the last: a send's time limit


class Metrics:
    """One daemon's metrics, in a registry of their own: several daemons may live in one process."""

    def __init__(self) -> None:
        # The one thing all registries share: no series for the time at which each began
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._declare_intake()
        self.queue_depth = self._gauge("queue_depth", "Deliveries waiting or being sent.", "channel")
        self.queue_oldest_age = self._gauge(
            "queue_oldest_age_seconds", "Time since the oldest of these was accepted; 0 if none.", "channel"
        )
        self.queue_held = self._gauge("queue_held", "Deliveries waiting for quiet hours to end.", "channel")
        self.destinations = self._gauge(
            "destinations",
            "Destinations there are: usable, suspended, or off (or not linked).",
            *("channel", "kind", "state"),
        )
        self._declare_sending()
        self.part_state = self._gauge(
            "part_state", "1 for the state that a part is in, 0 for the others.", "part", "state"
        )
        self.news_connected = self._gauge(
            "news_connected", "1 while this daemon hears at once what other daemons tell."
        )
        self.database_up = self._gauge("database_up", "1 if the database answered this question in time.")
        self._declare_daemons()
        self._calls: dict[tuple[str, str | None, int], Counter] = {}

    def _declare_intake(self) -> None:
        self.http_requests = self._counter(
            "http_requests", "Requests answered, by call and status.", "call", "status"
        )
        self.events_accepted = self._counter("events_accepted", "Events stored; replays are not counted.")
        self.commit_failures = self._counter("commit_failures", "Commits of events that failed.")
        self.commit_events = self._histogram("commit_events", "Events stored by one commit.", _EVENTS)
        self.commit_duration = self._histogram(
            "commit_duration_seconds", "Time one commit of events took, with its questions.", _COMMIT_SECONDS
        )

    def _declare_sending(self) -> None:
        self.deliveries = self._counter(
            "deliveries", "Deliveries that came to an end: delivered, failed.", "channel", "outcome"
        )
        self.attempt_duration = self._histogram(
            "attempt_duration_seconds",
            "Time one message took until the platform's answer.",
            _ATTEMPT_SECONDS,
            "channel",
        )
        self.retries = self._counter("retries", "Attempts that failed and are made again.", "channel")
        self.rate_limited = self._counter(
            "rate_limited", "Attempts the platform answered with a pause (429).", "channel"
        )
        self.unavailable = self._counter(
            "channel_unavailable", "Attempts for which the channel's token or login was refused.", "channel"
        )
        self.circuit_open = self._gauge(
            "circuit_open", "1 while the platform counts as away and is only probed.", "channel"
        )

    def _declare_daemons(self) -> None:
        self.daemons = self._gauge(
            "daemons", "Daemons of the database: alive, or dead (not seen for 15 s).", "state", "version"
        )
        self.leader = self._gauge("leader", "1 while this daemon leads the bot, 0 while it does not.", "bot")
        self.leader_since = self._gauge(
            "leader_since_seconds", "When the bot's leader took over, as Unix time; nothing if none.", "bot"
        )
        self.leader_epoch = self._gauge("leader_epoch", "Grows with each leader that a bot gets.", "bot")
        self.bot_unled = self._gauge(
            "bot_unled_seconds", "Time for which nobody has led the bot; 0 while somebody does.", "bot"
        )
        self.clock_difference = self._gauge(
            "clock_difference_seconds", "How far the database's clock is ahead; 0 if less than 2 s."
        )

    def count_request(self, method: str, template: str | None, status: int) -> None:
        """Count an answered request; method and template are of a fixed set, never what a caller wrote.

        No template: there is no such call.
        """
        counter = self._calls.get((method, template, status))
        if counter is None:  # kept: `labels()` takes three times as long as counting
            call = f"{method} {template}" if template else OTHER_CALL
            counter = self._calls[method, template, status] = self.http_requests.labels(call, str(status))
        counter.inc()

    def note_commit(self, events: int, seconds: float) -> None:
        """Count a commit of accepted events."""
        self.events_accepted.inc(events)
        self.commit_events.observe(events)
        self.commit_duration.observe(seconds)

    def show_parts(self, parts: Mapping[str, PartState]) -> None:
        """Show the state of each part."""
        for name, part in parts.items():
            for state in State:
                self.part_state.labels(name, state.value).set(part.state is state)

    def show_queue(self, channel: str, *, depth: int, oldest_age: timedelta, held: int) -> None:
        """Show what waits for a channel."""
        self.queue_depth.labels(channel).set(depth)
        self.queue_oldest_age.labels(channel).set(oldest_age.total_seconds())
        self.queue_held.labels(channel).set(held)

    def show_destinations(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Show how many destinations there are of each channel, kind and state."""
        self.destinations.clear()
        for labels, count in counts.items():
            self.destinations.labels(*labels).set(count)

    def hide_stored(self) -> None:
        """Show nothing that the database told: what was shown may not be true any more."""
        for gauge in (self.queue_depth, self.queue_oldest_age, self.queue_held, self.destinations):
            gauge.clear()

    def hide_roster(self) -> None:
        """Show nothing of the other daemons, for the same reason."""
        for gauge in (self.daemons, self.leader_since, self.leader_epoch, self.bot_unled):
            gauge.clear()

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, namespace="pingpilot", registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(name, help_, labels, namespace="pingpilot", registry=self.registry)

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, help_, labels, namespace="pingpilot", registry=self.registry, buckets=buckets)
