"""The logging handler at the end of a program, over forks, and in signal handlers."""

import os
from pathlib import Path

import pytest

from pingpilot.sandbox.faults import Fault

from .flaky import FlakyPingPilot
from .programs import execute, run

CRASH = """
for number in range(20):
    logging.error("Order %d failed", number)
raise SystemExit(7)
"""
STUCK = """
handler._flush_timeout = 0.3
for number in range(3):
    logging.error("Order %d failed", number)
"""
FORK = """
logging.error("before the fork")
handler.flush(10)
logging.error("waits in the parent")
child = os.fork()
logging.error("in the child" if child == 0 else "in the parent")
handler.flush(10)
if child == 0:
    print(handler.sent, handler.dropped, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
LOCKED = """
with handler._outbox._changed:
    child = os.fork()
if child == 0:
    logging.error("in the child")
    handler.flush(10)
    os._exit(0)
os.waitpid(child, 0)
"""
SIGNAL = """
import signal
signal.signal(signal.SIGALRM, lambda *_: logging.error("in the signal handler"))
with handler._outbox._changed:
    signal.raise_signal(signal.SIGALRM)
"""
DICT_CONFIG = """
import logging.config
logging.config.dictConfig({
    "version": 1,
    "handlers": {"pingpilot": {"class": "pingpilot.client.PingPilotHandler", "category": "bug"}},
    "root": {"handlers": ["pingpilot"]},
})
logging.error("by configuration")
"""
CLOSED_BY_CONFIGURATION = """
import logging.config, time
shop = logging.getLogger("shop")
shop.addHandler(handler)
logging.getLogger().removeHandler(handler)
shop.error("before")
begin = time.monotonic()
if sys.argv[1] == "file":
    open("log.ini", "w").write(
        "[loggers]\\nkeys=root\\n[handlers]\\nkeys=\\n[formatters]\\nkeys=\\n[logger_root]\\nhandlers=\\n"
    )
    logging.config.fileConfig("log.ini", disable_existing_loggers=False)
else:
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
print(time.monotonic() - begin)
shop.error("after")
"""
REPLACED_BY_CONFIGURATION = """
import logging.config
config = {
    "version": 1,
    "handlers": {"pingpilot": {"class": "pingpilot.client.PingPilotHandler"}},
    "root": {"handlers": ["pingpilot"]},
}
logging.error("before")
logging.config.dictConfig(config)
logging.error("between")
del handler
logging.config.dictConfig(config)
logging.error("after")
"""
AT_EXIT = """
import logging.config
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
logging.error("in time")
handler._outbox.wait_until_empty(10)
from pingpilot.client.handler import _exit
_exit.begin()
logging.error("too late")
print(handler.dropped)
"""
UNSET = """
import logging
import pingpilot.client
logging.getLogger().addHandler(pingpilot.client.PingPilotHandler())
logging.error("Order failed")
print("imported")
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def descriptions(flaky: FlakyPingPilot) -> list[str]:
    return [event["description"] for event in flaky.events.values()]


async def test_what_waits_is_sent_when_the_program_ends(flaky: FlakyPingPilot, tmp_path: Path) -> None:
    ended = await run(CRASH, flaky.url, tmp_path)

    assert (ended.code, ended.err) == (7, "")
    assert descriptions(flaky) == [f"Order {number} failed" for number in range(20)]


async def test_a_program_ends_though_nobody_takes_what_waits(flaky: FlakyPingPilot, tmp_path: Path) -> None:
    flaky.faults.add(Fault.hang(), times=None)

    ended = await run(STUCK, flaky.url, tmp_path)

    assert ended.code == 0
    assert "3 log records could not be sent in time" in ended.err


@needs_fork
async def test_a_forked_process_sends_its_own_records_and_nobody_elses(
    flaky: FlakyPingPilot, tmp_path: Path
) -> None:
    ended = await run(FORK, flaky.url, tmp_path)

    assert (ended.code, ended.out) == (0, "1 0\n")
    assert sorted(descriptions(flaky)) == [
        "before the fork",
        "in the child",
        "in the parent",
        "waits in the parent",
    ]


@needs_fork
async def test_a_lock_held_during_a_fork_does_not_stop_the_child(
    flaky: FlakyPingPilot, tmp_path: Path
) -> None:
    ended = await run(LOCKED, flaky.url, tmp_path)

    assert ended.code == 0
    assert descriptions(flaky) == ["in the child"]


@needs_fork
async def test_a_signal_handler_may_log_at_any_moment(flaky: FlakyPingPilot, tmp_path: Path) -> None:
    ended = await run(SIGNAL, flaky.url, tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert descriptions(flaky) == ["in the signal handler"]


async def test_the_handler_can_be_configured_by_a_dictionary(flaky: FlakyPingPilot, tmp_path: Path) -> None:
    ended = await run(DICT_CONFIG, flaky.url, tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert [event["category"] for event in flaky.events.values()] == ["bug"]


@pytest.mark.parametrize("by", ["dict", "file"])
async def test_a_handler_closed_by_a_configuration_sends_on_and_is_flushed_at_the_end(
    by: str, flaky: FlakyPingPilot, tmp_path: Path
) -> None:
    ended = await run(CLOSED_BY_CONFIGURATION, flaky.url, tmp_path, by)

    assert (ended.code, ended.err) == (0, "")
    assert float(ended.out) < 2  # seconds: it does not wait for a thread that waits for it
    assert descriptions(flaky) == ["before", "after"]


async def test_handlers_replaced_by_a_configuration_send_what_they_hold(
    flaky: FlakyPingPilot, tmp_path: Path
) -> None:
    ended = await run(REPLACED_BY_CONFIGURATION, flaky.url, tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert sorted(descriptions(flaky)) == ["after", "before", "between"]


async def test_a_record_after_the_programs_end_starts_nothing(flaky: FlakyPingPilot, tmp_path: Path) -> None:
    ended = await run(AT_EXIT, flaky.url, tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert descriptions(flaky) == ["in time"]


async def test_without_settings_the_program_runs_and_is_told_once(tmp_path: Path) -> None:
    ended = await execute(UNSET, {}, tmp_path)

    assert (ended.code, ended.out) == (0, "imported\n")
    assert ended.err == (
        "pingpilot.client: log records are not sent. There is no PingPilot address: "
        "set PINGPILOT_URL, or pass it to the client.\n"
    )
