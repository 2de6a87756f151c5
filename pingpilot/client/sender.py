"""The thread of a logging handler that sends."""

import logging
import sys
import threading
from contextlib import suppress
from uuid import uuid4

from pingpilot.client.outbox import Outbox
from pingpilot.client.records import LoggedEvent
from pingpilot.client.sync_client import Client
from pingpilot.client.tries import WORTH_ANOTHER_TRY

_PAUSE = 1.0  # seconds between rounds of tries that ended without a word on when to come back
LONGEST_PAUSE = 60.0  # whatever that word is: a thread can't wait for years, and would end in an error
_this_thread = threading.local()


def is_sending() -> bool:
    """Whether the calling thread sends records; what it logs itself must not become more of them."""
    return getattr(_this_thread, "sends", False)


class Sender:
    """Empties an outbox until it is closed; an event that can't be sent now is kept and tried again.

    Problems are told on standard error, once until something gets through again.
    """

    def __init__(self, outbox: Outbox[LoggedEvent], client: Client, category: str) -> None:
        self._outbox = outbox
        self._client = client
        self._category = category
        self._told = 0
        self._noted = False
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="pingpilot-log-sender", daemon=True)

    def stop(self) -> None:
        """Keep nothing any more that can't be sent at once."""
        self._stopping.set()

    def _run(self) -> None:
        _this_thread.sends = True
        while (event := self._outbox.take()) is not None:
            dropped = self._outbox.dropped - self._told
            sent = self._is_sent(event, dropped)
            self._told += dropped if sent else 0
            self._outbox.settle(sent=sent)

    def _is_sent(self, event: LoggedEvent, dropped: int) -> bool:
        """Send the event, however long PingPilot is away; return whether it was taken."""
        fields = {**event.fields, "dropped": dropped} if dropped else event.fields
        key = uuid4().hex  # with the same body every time, since a key stands for one body
        while True:
            try:
                self._client.send(self._category, event.description, fields=fields, idempotency_key=key)
            except WORTH_ANOTHER_TRY as error:
                self._note(error)
                if self._stopping.wait(min(error.retry_after or _PAUSE, LONGEST_PAUSE)):
                    return False
            except Exception as error:  # noqa: BLE001  # the thread must live on, whatever is logged
                self._note(error)
                return False
            else:
                self._noted = False
                return True

    def _note(self, error: Exception) -> None:
        if not self._noted:
            self._noted = True
            note(f"log records can't be sent: {error}")


def note(text: str) -> None:
    """Print a line on standard error, as the logging module does about its own problems."""
    if not logging.raiseExceptions or sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # closed
        print(f"pingpilot.client: {text}", file=sys.stderr)  # noqa: T201
