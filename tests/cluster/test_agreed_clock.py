"""The clock that daemons agree upon: the machine's, as long as the database's says about the same."""

from datetime import UTC, datetime, timedelta

import pytest

from pingpilot.clock import AgreedClock

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Wall:
    """A machine's clock that may be set."""

    def __init__(self) -> None:
        self.wrong_by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wrong_by


def compare(clock: AgreedClock, theirs: datetime) -> None:
    now = clock.monotonic()
    clock.compare(theirs, now, now)


def apart(clock: AgreedClock) -> float:
    """Return how far it is from the right time, in seconds."""
    return (clock.now() - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize("by", [SECOND, -SECOND])
def test_a_small_difference_leaves_the_machines_clock_alone(by: timedelta) -> None:
    clock = AgreedClock()
    compare(clock, datetime.now(UTC) + by)

    assert apart(clock) == pytest.approx(0, abs=0.2)
    assert clock.apart == timedelta()


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_where_they_differ_the_databases_is_believed(by: timedelta) -> None:
    wall = Wall()
    wall.wrong_by = by
    clock = AgreedClock(wall.now)
    before = apart(clock)
    compare(clock, datetime.now(UTC))

    assert before == pytest.approx(by.total_seconds(), abs=0.2)
    assert apart(clock) == pytest.approx(0, abs=0.2)
    assert clock.apart.total_seconds() == pytest.approx(-by.total_seconds(), abs=0.2)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_nothing_happens_when_the_machines_clock_is_set(by: timedelta) -> None:
    wall = Wall()
    clock = AgreedClock(wall.now)
    compare(clock, datetime.now(UTC))
    wall.wrong_by = by
    before_the_next_heartbeat = apart(clock)
    compare(clock, datetime.now(UTC))

    assert before_the_next_heartbeat == pytest.approx(0, abs=0.2)
    assert apart(clock) == pytest.approx(0, abs=0.2)


def test_it_follows_the_databases_clock_when_that_is_set() -> None:
    clock = AgreedClock()
    compare(clock, datetime.now(UTC))
    compare(clock, datetime.now(UTC) + HOUR)
    after = apart(clock)
    compare(clock, datetime.now(UTC))

    assert after == pytest.approx(3600, abs=0.2)
    assert apart(clock) == pytest.approx(0, abs=0.2)


def test_without_a_database_to_agree_with_it_is_the_machines() -> None:
    wall = Wall()
    clock = AgreedClock(wall.now)
    wall.wrong_by = HOUR

    assert apart(clock) == pytest.approx(3600, abs=0.2)
