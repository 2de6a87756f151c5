"""When a call is tried again, by the clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pingpilot.client import Accepted, Unreachable, calls
from pingpilot.client.replies import Lost, Reply, retry_after
from pingpilot.client.tries import Patience, Pause, Tries
from tests.support.clock import ManualClock

NOBODY = Lost("Connection refused.")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def tries(
    clock: ManualClock, *, give_up_after: float = 30, jitter: float = 1, wait: int = 0
) -> Tries[Accepted]:
    call = calls.send("sale", "", fields=None, idempotency_key=None, wait=wait or None)
    patience = Patience(timeout=10, give_up_after=give_up_after)
    return Tries(call, patience, "http://x", clock=clock.monotonic, jitter=lambda: jitter)


def pause(verdict: object) -> float:
    assert isinstance(verdict, Pause)
    return verdict.seconds


def busy(wait: str, **headers: str) -> Reply:
    return Reply(503, {"Retry-After": wait, **headers}, b"")


def test_the_bound_of_the_wait_doubles_up_to_ten_seconds(clock: ManualClock) -> None:
    attempt = tries(clock, give_up_after=1000)

    waits = [pause(attempt.judge(NOBODY)) for _ in range(7)]

    assert waits == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_wait_is_anything_up_to_its_bound(clock: ManualClock) -> None:
    attempt = tries(clock, jitter=0.25)

    waits = [pause(attempt.judge(NOBODY)) for _ in range(3)]

    assert waits == [0.125, 0.25, 0.5]


def test_the_time_the_server_names_is_waited_for_at_least(clock: ManualClock) -> None:
    exactly, spread = tries(clock, jitter=0), tries(clock, jitter=1)

    assert pause(exactly.judge(busy("7"))) == 7
    assert pause(spread.judge(busy("7"))) == 7.5


def test_what_would_come_after_the_time_is_not_waited_for(clock: ManualClock) -> None:
    attempt = tries(clock, jitter=0, give_up_after=30)
    clock.advance_seconds(20)

    assert pause(attempt.judge(busy("9"))) == 9
    with pytest.raises(Unreachable):
        attempt.judge(busy("10"))


def test_a_try_takes_no_longer_than_what_is_left(clock: ManualClock) -> None:
    attempt, waiting = tries(clock), tries(clock, wait=20)

    whole = (attempt.timeout, waiting.timeout)
    clock.advance_seconds(25)

    assert whole == (10, 30)
    assert (attempt.timeout, waiting.timeout) == (5, 25)
    assert not attempt.expired


def test_a_date_to_come_back_is_compared_with_the_servers_clock() -> None:
    until = format_datetime(NOW + timedelta(seconds=90), usegmt=True)

    assert retry_after({"Retry-After": until, "Date": format_datetime(NOW, usegmt=True)}) == 90


def test_a_date_to_come_back_counts_from_now_where_the_server_has_no_clock() -> None:
    until = datetime.now(UTC) + timedelta(days=1)

    seconds = retry_after({"Retry-After": format_datetime(until, usegmt=True)})

    assert seconds == pytest.approx(86400, abs=600)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 23 Nov 2020 12:00:00 GMT", 0),
        ("Mon, 23 Nov 2020 12:00:00", 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 99:00:00 GMT", None),
    ],
)
def test_other_ways_to_name_a_time_are_read_or_ignored(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}) == seconds


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_patience_that_is_no_time_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Patience(timeout=wrong, give_up_after=30)
    with pytest.raises(ValueError, match="give_up_after"):
        Patience(timeout=10, give_up_after=wrong)
