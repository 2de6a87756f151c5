"""The metrics of a daemon with all its channels."""

from tests.support.daemon import Daemon

CHANNELS = ("discord", "telegram", "email")


async def test_a_daemon_counts_what_it_accepts_and_delivers(daemon: Daemon, key: str) -> None:
    before = await daemon.metrics()
    answer = await daemon.post(key, {"category": "bug"}, prefer="wait=10")

    after = await daemon.metrics()

    def grown(name: str, **labels: str) -> float:
        return (after.of(name, **labels) or 0) - (before.of(name, **labels) or 0)

    assert answer.body["deliveryStatus"] == "DELIVERED"
    assert grown("pingpilot_events_accepted_total") == 1
    for name in CHANNELS:  # notices of the links may still be on their way
        assert grown("pingpilot_deliveries_total", channel=name, outcome="delivered") >= 1
        assert grown("pingpilot_attempt_duration_seconds_count", channel=name) >= 1
        assert after.of("pingpilot_part_state", part=name, state="up") == 1
        assert after.of("pingpilot_queue_depth", channel=name) is not None
    assert (after.of("process_resident_memory_bytes") or 0) > 0
