"""What is counted of each attempt."""

from models import Account
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.breaker import FIRST_PROBE, TRIPS_AFTER
from pingpilot.delivery.sending import UNAVAILABLE_PAUSE
from pingpilot.errors import ChannelUnavailable, PermanentFailure, RateLimited, TemporaryFailure
from tests.support.events import accept
from tests.support.waiting import eventually, until

from .scripted import Engine

COUNTS: dict[str, tuple[str, dict[str, str]]] = {
    "delivered": ("deliveries_total", {"outcome": "delivered"}),
    "failed": ("deliveries_total", {"outcome": "failed"}),
    "retried": ("retries_total", {}),
    "limited": ("rate_limited_total", {}),
    "refused": ("channel_unavailable_total", {}),
    "attempted": ("attempt_duration_seconds_count", {}),
}


def value(engine: Engine, name: str, **labels: str) -> float | None:
    labels = {"channel": TELEGRAM.name, **labels}
    return engine.metrics.registry.get_sample_value(f"pingpilot_{name}", labels)


def counts(engine: Engine) -> dict[str, float | None]:
    return {count: value(engine, name, **labels) for count, (name, labels) in COUNTS.items()}


async def counted(engine: Engine, **expected: float | None) -> None:
    """Return once the counts are so; those that aren't given are zero."""

    async def probe() -> dict[str, float | None]:
        return counts(engine)

    zero: dict[str, float | None] = dict.fromkeys(COUNTS, 0)
    await eventually(probe, zero | expected)


async def test_all_counts_begin_at_zero(engine: Engine) -> None:
    engine.dispatcher()

    assert counts(engine) == dict.fromkeys(COUNTS, 0)
    assert value(engine, "circuit_open") == 0


async def test_what_arrives_is_counted_with_the_time_it_took(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "one")

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        engine.clock.advance_seconds(7)
        engine.channel.release()
        await counted(engine, delivered=1, attempted=1)

    assert value(engine, "attempt_duration_seconds_sum") == 7


async def test_a_message_over_several_deliveries_counts_each_of_them(engine: Engine) -> None:
    busy = await engine.account("busy", combine=True)
    await accept(busy, engine.clock, *["bug"] * 6)

    async with engine.running():
        await counted(engine, delivered=6, attempted=1)


async def test_a_retry_is_counted(engine: Engine, alice: Account) -> None:
    engine.channel.fail(TemporaryFailure("Away."))
    await engine.post(alice, "one")

    async with engine.running():
        await counted(engine, retried=1, attempted=1)


async def test_a_platforms_wish_for_a_pause_is_counted(engine: Engine, alice: Account) -> None:
    engine.channel.fail(RateLimited("Slow down.", retry_after=FIRST_PROBE, whole_channel=False))
    await engine.post(alice, "one")

    async with engine.running():
        await counted(engine, limited=1, attempted=1)


async def test_a_refused_login_is_counted(engine: Engine, alice: Account) -> None:
    engine.channel.fail(ChannelUnavailable("Bad token."), ChannelUnavailable("Bad token."))
    await engine.post(alice, "one")

    async with engine.running():
        await counted(engine, refused=1)
        engine.clock.advance(UNAVAILABLE_PAUSE)
        await counted(engine, refused=2)


async def test_a_failure_for_good_is_counted(engine: Engine, alice: Account) -> None:
    engine.channel.fail(PermanentFailure("Never."))
    await engine.post(alice, "one")

    async with engine.running():
        await counted(engine, failed=1, attempted=1)


async def test_what_waited_for_a_recipient_that_is_gone_is_counted_as_failed(
    engine: Engine, alice: Account
) -> None:
    engine.channel.fail(PermanentFailure("Gone.", recipient_gone=True))
    await engine.post(alice, "one", "two", "three")

    async with engine.running():
        await counted(engine, failed=3, attempted=1)


async def test_a_delivery_without_a_recipient_fails_without_an_attempt(
    engine: Engine, alice: Account
) -> None:
    await engine.post(alice, "one")
    await alice.destinations.all().update(enabled=False)  # type: ignore[attr-defined]

    async with engine.running():
        await counted(engine, failed=1)


async def test_a_platform_that_counts_as_away_shows(engine: Engine) -> None:
    engine.channel.fail_always(TemporaryFailure("Away."))
    for number in range(TRIPS_AFTER):
        await engine.post(await engine.account(f"number-{number}"), "one")

    async with engine.running():
        await counted(engine, retried=TRIPS_AFTER, attempted=TRIPS_AFTER)
        was_open = value(engine, "circuit_open")
        engine.channel.fail_always(None)
        engine.clock.advance(2 * FIRST_PROBE)
        await until(lambda: value(engine, "circuit_open") == 0)

    assert was_open == 1
