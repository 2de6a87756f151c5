"""The circuit breaker: trips when a platform is away, probes now and then, closes at the first answer."""

from pingpilot.delivery.breaker import FIRST_PROBE, LONGEST_WAIT, TRIPS_AFTER, Breaker
from tests.support.clock import ManualClock


def test_below_the_threshold_all_slots_are_free(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    _fail(breaker, TRIPS_AFTER - 1)

    assert breaker.allowed(50, under_way=0) == 50


def test_it_trips_after_failures_of_several_recipients_in_a_row(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)

    _fail(breaker, TRIPS_AFTER)

    assert breaker.is_open
    assert breaker.allowed(50, under_way=0) == 0


def test_one_recipient_alone_never_trips_it(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)

    for _ in range(100):
        breaker.failed("only me")

    assert breaker.allowed(50, under_way=0) == 50


def test_an_answer_in_between_starts_the_count_anew(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    _fail(breaker, TRIPS_AFTER - 1)
    breaker.answered()

    _fail(breaker, TRIPS_AFTER - 1)

    assert not breaker.is_open


def test_tripped_it_lets_one_probe_through_at_a_time(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    _fail(breaker, TRIPS_AFTER)

    clock.advance(FIRST_PROBE)

    assert breaker.allowed(50, under_way=0) == 1
    assert breaker.allowed(49, under_way=1) == 0


def test_probes_that_fail_grow_rarer_up_to_a_limit(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    _fail(breaker, TRIPS_AFTER)
    waits = []

    for _ in range(8):
        waited = 0
        while not breaker.allowed(50, under_way=0):
            clock.advance_seconds(1)
            waited += 1
        waits.append(waited)
        breaker.failed("probe")

    assert waits == [5, 10, 20, 40, 60, 60, 60, 60]
    assert waits[-1] == LONGEST_WAIT.total_seconds()


def test_a_probe_that_is_answered_closes_it(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    _fail(breaker, TRIPS_AFTER)
    clock.advance(FIRST_PROBE)

    breaker.answered()

    assert breaker.allowed(50, under_way=0) == 50


def test_sends_that_began_before_it_tripped_do_not_make_probes_rarer(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)

    _fail(breaker, TRIPS_AFTER + 45)
    clock.advance(FIRST_PROBE)

    assert breaker.allowed(50, under_way=0) == 1


def test_after_closing_it_trips_with_the_first_wait_again(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    _fail(breaker, TRIPS_AFTER + 3)
    breaker.answered()

    _fail(breaker, TRIPS_AFTER)
    clock.advance(FIRST_PROBE)

    assert breaker.allowed(50, under_way=0) == 1


def _fail(breaker: Breaker, times: int) -> None:
    for number in range(times):
        breaker.failed(f"recipient {number % 3}")
