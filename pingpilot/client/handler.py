"""Log records of ERROR and above as events."""

import logging
import threading

from pingpilot.client.forking import renew_after_fork
from pingpilot.client.outbox import Outbox
from pingpilot.client.records import LoggedEvent, event_of
from pingpilot.client.sender import Sender, is_sending, note
from pingpilot.client.sync_client import Client

_NEVER_SENT = ("pingpilot.client.", "httpx.", "httpcore.")  # they speak of sending itself


class PingPilotHandler(logging.Handler):
    """Sends each record as an event of `category`, from a thread of its own; never blocks, never raises.

    Up to `capacity` records wait while PingPilot is away; what does not fit, or is refused, is dropped and
    counted. The count is `dropped`, and a field of that name in the next event that gets through.
    The category must exist in the account; `bug` is one that new accounts have. At exit, what waits is sent
    for up to `flush_timeout` seconds. Without a `client`, one is made from the environment, which may raise
    `NotConfigured`.
    """

    def __init__(
        self,
        category: str = "bug",
        *,
        client: Client | None = None,
        level: int | str = logging.ERROR,
        capacity: int = 1000,
        flush_timeout: float = 5.0,
    ) -> None:
        super().__init__(level)
        self._category = category
        self._capacity = capacity
        self._flush_timeout = flush_timeout
        self._client = client or Client()
        self._owns_client = client is None
        self._stuck_at: int | None = None  # the count of sent records when a flush ended in vain
        self._renew()
        renew_after_fork(self)

    @property
    def sent(self) -> int:
        """How many records were sent."""
        return self._outbox.sent

    @property
    def dropped(self) -> int:
        """How many records were lost."""
        return self._outbox.dropped

    def handle(self, record: logging.LogRecord) -> bool:
        """Queue the record unless it comes from sending; takes no lock that is held for long."""
        if is_sending() or _is_about_sending(record):
            return False
        passed: object = self.filter(record)  # a record of its own from Python 3.12 on
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record, whoever wrote it; one that can't be turned into text is dropped."""
        try:
            event = event_of(record, self.format(record) if self.formatter else record.getMessage())
            self._run_sender()
        except Exception:  # noqa: BLE001  # logging must not break the program
            self._outbox.drop()
            self.handleError(record)
        else:
            self._outbox.put(event)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was logged is sent or dropped, at most `timeout` seconds."""
        is_empty = self._outbox.wait_until_empty(self._flush_timeout if timeout is None else timeout)
        self._stuck_at = None if is_empty or timeout is not None else self.sent

    def close(self) -> None:
        """Send what waits within `flush_timeout`, drop the rest, and end the thread."""
        self._outbox.close()
        self._sender.stop()
        # `logging.shutdown` flushes first: having waited in vain once is enough
        patience = 0.0 if self._stuck_at == self.sent else self._flush_timeout
        if self._outbox.wait_until_empty(patience):
            self._end_thread()
        elif lost := self._outbox.abandon():
            note(f"{lost} log records could not be sent in time.")
        super().close()

    def _end_thread(self) -> None:
        if self._sender.thread.is_alive():
            self._sender.thread.join(self._flush_timeout)
        if self._owns_client:
            self._client.close()

    def _run_sender(self) -> None:
        """Start the thread with the first record, since a forked process starts without it."""
        if self._sender.thread.ident is not None:
            return
        with self._starting:
            if self._sender.thread.ident is None:
                self._sender.thread.start()

    def _renew(self) -> None:
        """Start with nothing queued or counted; what waits in the parent process is the parent's to send."""
        self._outbox: Outbox[LoggedEvent] = Outbox(self._capacity)
        self._sender = Sender(self._outbox, self._client, self._category)
        self._starting = threading.RLock()
        self._stuck_at = None


def _is_about_sending(record: logging.LogRecord) -> bool:
    return f"{record.name}.".startswith(_NEVER_SENT)
