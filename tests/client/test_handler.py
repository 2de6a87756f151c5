"""The logging handler: it never blocks, never recurses, and loses nothing without counting it."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from models import Event
from pingpilot.client import Client, NotConfigured, PingPilotHandler
from pingpilot.sandbox.faults import Fault
from tests.http.api import Api, Program
from tests.support.waiting import until

from .flaky import FlakyPingPilot

Attach = Callable[..., PingPilotHandler]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of the program's, at DEBUG; the handlers of others stay out."""
    logger = logging.getLogger("shop")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


@pytest.fixture
async def attach(flaky: FlakyPingPilot, logger: logging.Logger) -> AsyncIterator[Attach]:
    """Makes handlers of the logger that send to the server that misbehaves."""
    attached: list[tuple[PingPilotHandler, Client]] = []

    def make(client: Client | None = None, **options: object) -> PingPilotHandler:
        client = client or Client(flaky.url, "pp_key", timeout=20, give_up_after=20)
        handler = PingPilotHandler(client=client, **options)  # type: ignore[arg-type]
        logger.addHandler(handler)
        attached.append((handler, client))
        return handler

    yield make
    await flaky.stop()
    for handler, client in attached:
        logger.removeHandler(handler)
        handler.close()
        client.close()


async def flush(handler: PingPilotHandler) -> None:
    await asyncio.to_thread(handler.flush, 30)


def hasty(flaky: FlakyPingPilot) -> Client:
    """A client that gives up soon, for a server that is away."""
    return Client(flaky.url, "pp_key", timeout=2, give_up_after=0.5)


def descriptions(flaky: FlakyPingPilot) -> list[str]:
    return [event["description"] for event in flaky.events.values()]


async def test_errors_become_events_and_lesser_records_do_not(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    handler = attach(category="sale")

    logger.warning("Just so you know")
    logger.error("Order %d failed", 4711, extra={"customer": "Zoë"})
    logger.critical("All orders fail")
    await flush(handler)

    events = list(flaky.events.values())
    assert [event["category"] for event in events] == ["sale", "sale"]
    assert descriptions(flaky) == ["Order 4711 failed", "All orders fail"]
    assert events[0]["fields"]["customer"] == "Zoë"
    assert (handler.sent, handler.dropped) == (2, 0)


async def test_records_reach_a_new_account_without_naming_a_category(
    api: Api, shop: Program, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINGPILOT_URL", api.url)
    monkeypatch.setenv("PINGPILOT_API_KEY", shop.key)
    handler = PingPilotHandler(level="WARNING")
    logger.addHandler(handler)

    logger.warning("Order failed", exc_info=ValueError("no lamp \x00 left"))
    logger.removeHandler(handler)
    await asyncio.to_thread(handler.close)

    assert (handler.sent, handler.dropped) == (1, 0)
    assert (await Event.get()).category == "bug"


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({}, "PINGPILOT_URL"),
        ({"PINGPILOT_URL": "http://127.0.0.1:1"}, "PINGPILOT_API_KEY"),
        ({"PINGPILOT_URL": "nowhere", "PINGPILOT_API_KEY": "pp_key"}, "PINGPILOT_URL"),
    ],
)
def test_without_a_client_and_settings_the_handler_is_off_and_says_so(
    settings: dict[str, str],
    variable: str,
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("PINGPILOT_URL", "PINGPILOT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    handler = PingPilotHandler()
    logger.addHandler(handler)

    logger.error("Order failed")
    handler.flush()
    handler.close()
    logger.error("Order failed again")
    logger.removeHandler(handler)

    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("pingpilot.client: log records are not sent. ")
    assert line.endswith(f"set {variable}, or pass it to the client.")
    assert (handler.is_off, handler.sent, handler.dropped) == (True, 0, 0)
    with pytest.raises(NotConfigured, match=variable):
        PingPilotHandler(required=True)


async def test_a_formatter_makes_the_description(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    handler = attach()
    handler.setFormatter(logging.Formatter("%(levelname)s in %(name)s: %(message)s"))

    logger.error("Order failed")
    await flush(handler)

    assert descriptions(flaky) == ["ERROR in shop: Order failed"]


async def test_a_storm_while_nobody_takes_it_loses_what_is_counted_and_nothing_else(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    await flaky.stop()
    handler = attach(hasty(flaky), capacity=50)

    threads = [threading.Thread(target=storm, args=(logger, name)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    dropped = handler.dropped
    await flaky.start()
    await flush(handler)

    told = [event["fields"].get("dropped", 0) for event in flaky.events.values()]
    assert dropped >= 1000 - 51
    assert (handler.sent + handler.dropped, handler.dropped) == (1000, dropped)
    assert len(set(descriptions(flaky))) == len(flaky.events) == handler.sent
    assert sum(told) == dropped


async def test_an_event_is_kept_while_the_server_is_away_for_longer_than_one_call_waits(
    attach: Attach,
    logger: logging.Logger,
    flaky: FlakyPingPilot,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pingpilot.client.handler.LONGEST_PAUSE", 0.01)
    flaky.faults.add(Fault.status(503, headers={"Retry-After": "60"}))  # the client gives up at once
    handler = attach()

    logger.error("Order failed")
    await flush(handler)

    assert descriptions(flaky) == ["Order failed"]
    assert (len(flaky.keys), len(set(flaky.keys))) == (2, 1)
    assert capfd.readouterr().err.count("can't be sent") == 1


async def test_what_is_refused_is_dropped_with_a_count_and_one_note(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot, capfd: pytest.CaptureFixture[str]
) -> None:
    flaky.refuse(404, "category_not_found", times=3)
    handler = attach()

    for number in range(4):
        logger.error("Order %d failed", number)
    await flush(handler)

    (event,) = flaky.events.values()
    assert (event["description"], event["fields"]["dropped"]) == ("Order 3 failed", 3)
    assert (handler.sent, handler.dropped) == (1, 3)
    assert capfd.readouterr().err.splitlines() == [
        "pingpilot.client: log records can't be sent: This is category_not_found."
    ]


async def test_a_server_that_hangs_blocks_nobody(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    flaky.faults.add(Fault.hang(), times=None)
    handler = attach(hasty(flaky), capacity=5, flush_timeout=0.1)
    logger.error("Order failed")
    await flaky.wait_for_requests(1)

    for number in range(10):
        logger.error("Order %d failed", number)
    dropped_by_then = handler.dropped
    handler.close()

    assert dropped_by_then == 5
    assert handler.dropped == 10
    assert handler.sent == 0


async def test_sending_makes_no_records_to_send(attach: Attach, flaky: FlakyPingPilot) -> None:
    flaky.misbehave([Fault.drop(), Fault.error(502, "")])
    client = Client(flaky.url, "pp_key")
    first, second = attach(client, level=logging.DEBUG), attach(level=logging.DEBUG)
    root, http = logging.getLogger(), [logging.getLogger(name) for name in ("httpx", "httpcore")]
    levels = [each.level for each in (root, *http)]
    for each in (root, *http):
        each.setLevel(logging.DEBUG)
    root.addHandler(first)
    root.addHandler(second)

    try:
        logging.getLogger("elsewhere").error("Order failed")
        await flush(first)
        await flush(second)
        flaky.misbehave([Fault.drop()])
        await asyncio.to_thread(client.send, "bug", "sent by the program itself")
        await flush(first)
        await flush(second)
    finally:
        root.removeHandler(first)
        root.removeHandler(second)
        for each, level in zip((root, *http), levels, strict=True):
            each.setLevel(level)

    assert descriptions(flaky) == ["Order failed", "Order failed", "sent by the program itself"]
    assert (first.dropped, second.dropped) == (0, 0)


async def test_what_the_sending_thread_itself_logs_is_not_sent(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    class Chatty(Client):
        def send(self, *args: object, **options: object) -> object:  # type: ignore[override]
            logger.error("I am about to send something")
            return super().send(*args, **options)  # type: ignore[arg-type]

    handler = attach(Chatty(flaky.url, "pp_key"))

    logger.error("Order failed")
    await flush(handler)

    assert descriptions(flaky) == ["Order failed"]


async def test_a_record_that_is_no_text_is_dropped_and_does_no_harm(
    attach: Attach, flaky: FlakyPingPilot, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = attach()

    handler.handle(logging.makeLogRecord({"levelno": 40, "msg": "%d orders failed", "args": ("many",)}))
    handler.handle(logging.makeLogRecord({"levelno": 40, "msg": "Order failed"}))
    await flush(handler)

    assert descriptions(flaky) == ["Order failed"]
    assert (handler.sent, handler.dropped) == (1, 1)
    assert "--- Logging error ---" in capfd.readouterr().err


async def test_a_client_that_was_closed_ends_no_thread(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot, capfd: pytest.CaptureFixture[str]
) -> None:
    client = Client(flaky.url, "pp_key")
    handler = attach(client)
    client.close()

    logger.error("Order failed")
    logger.error("Another order failed")
    await flush(handler)

    assert (handler.sent, handler.dropped) == (0, 2)
    assert "closed" in capfd.readouterr().err


async def test_a_closed_handler_that_is_still_attached_starts_again(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    handler = attach()

    for number in range(3):
        logger.error("Order %d failed", number)
        await asyncio.to_thread(handler.close)
        await asyncio.to_thread(handler.close)

    assert descriptions(flaky) == ["Order 0 failed", "Order 1 failed", "Order 2 failed"]
    assert (handler.sent, handler.dropped) == (3, 0)
    await until(lambda: not any(thread.name == "pingpilot-log-sender" for thread in threading.enumerate()))


def test_a_capacity_that_holds_nothing_is_refused() -> None:
    with Client("http://127.0.0.1:1", "pp_key") as client, pytest.raises(ValueError, match="capacity"):
        PingPilotHandler(client=client, capacity=0)


async def test_what_a_reopened_handler_can_not_send_is_kept(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    class Counting(Client):
        calls = 0

        def send(self, *args: object, **options: object) -> object:  # type: ignore[override]
            self.calls += 1
            return super().send(*args, **options)  # type: ignore[arg-type]

    client = Counting(flaky.url, "pp_key", timeout=2, give_up_after=0.1)
    handler = attach(client, flush_timeout=0.1)
    await flaky.stop()
    logger.error("Being sent")
    await until(lambda: handler._outbox._in_hand == 1)
    logger.error("Waiting")  # lost with the close, unless the first was given up before
    await asyncio.to_thread(handler.close)

    logger.error("Order failed")
    calls = client.calls
    await until(lambda: client.calls > calls)  # it goes on trying
    await flaky.start()
    await flush(handler)

    assert "Order failed" in descriptions(flaky)
    assert handler.sent == len(descriptions(flaky))
    assert handler.sent + handler.dropped == 3


async def test_a_handler_closed_over_and_over_by_one_thread_loses_nothing_of_another(
    attach: Attach, logger: logging.Logger, flaky: FlakyPingPilot
) -> None:
    handler = attach(Client(flaky.url, "pp_key"))  # patient, on a busy machine
    storming = threading.Thread(target=storm, args=(logger, 1))
    storming.start()

    while storming.is_alive():
        await asyncio.to_thread(handler.close)
    await flush(handler)

    assert handler.sent + handler.dropped == 250
    assert len(descriptions(flaky)) == handler.sent


def storm(logger: logging.Logger, name: int) -> None:
    for number in range(250):
        logger.error("Order %d-%d failed", name, number)


@pytest.mark.parametrize("seconds", ["9" * 12, "9" * 400])
async def test_a_server_that_asks_for_years_does_not_end_the_sending(
    seconds: str,
    attach: Attach,
    logger: logging.Logger,
    flaky: FlakyPingPilot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pingpilot.client.handler.LONGEST_PAUSE", 0.01)
    flaky.refuse(503, "shutting_down", headers={"Retry-After": seconds})
    handler = attach()

    logger.error("Order failed")
    await flush(handler)

    assert (handler.sent, handler.dropped) == (1, 0)
