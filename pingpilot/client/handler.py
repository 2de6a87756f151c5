"""Log records of ERROR and above as events: a handler, and the thread that sends."""

import atexit
import logging
import sys
import threading
from contextlib import suppress
from threading import RLock
from uuid import uuid4

from .errors import NotConfigured
from .outbox import Outbox
from .records import LoggedEvent, event_of
from .sync_client import Client, renew_after_fork
from .tries import WORTH_ANOTHER_TRY

_PAUSE = 1.0  # seconds between rounds of tries that ended without a word on when to come back
LONGEST_PAUSE = 60.0  # whatever that word is: a thread can't wait for years, and would end in an error
_NEVER_SENT = (f"{__package__}.", "httpx.", "httpcore.")  # they speak of sending itself
_this_thread = threading.local()  # has `sends` where records are sent: what is logged there is never sent


class PingPilotHandler(logging.Handler):
    """Sends each record as an event of `category`, from a thread of its own; never blocks, never raises.

    Up to `capacity` records wait while PingPilot is away; what does not fit, or is refused, is dropped and
    counted. The count is `dropped`, and a field of that name in the next event that gets through.
    The category must exist in the account; `bug` is one that new accounts have. At exit, what waits is sent
    for up to `flush_timeout` seconds.

    Without a `client`, one is made from the environment. Where that has no address or key of use, a line on
    standard error says so and the handler is off, since logging must not break the program; with `required`,
    `NotConfigured` is raised. A closed handler that is still attached starts again with the next record:
    `logging.config` closes every handler there is, and then goes on using some.
    """

    def __init__(
        self,
        category: str = "bug",
        *,
        client: Client | None = None,
        level: int | str = logging.ERROR,
        capacity: int = 1000,
        flush_timeout: float = 5.0,
        required: bool = False,
    ) -> None:
        super().__init__(level)
        self._category = category
        self._capacity = capacity
        self._flush_timeout = flush_timeout
        self._owns_client = client is None
        self._client = client
        if self._owns_client:
            try:
                self._client = Client()
            except NotConfigured as error:
                if required:
                    raise
                _warn(f"log records are not sent. {error}")
        self._stuck_at: int | None = None  # the count of sent records when a flush ended in vain
        self._renew()
        renew_after_fork(self)

    @property
    def is_off(self) -> bool:
        """Whether records are not even queued, since there is no address or key."""
        return self._client is None

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
        is_about_sending = f"{record.name}.".startswith(_NEVER_SENT)
        if self.is_off or is_about_sending or getattr(_this_thread, "sends", False):
            return False
        passed: object = self.filter(record)  # a record of its own from Python 3.12 on
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record, whoever wrote it; one that can't be turned into text is dropped."""
        try:
            event = event_of(record, self.format(record) if self.formatter else record.getMessage())
            if not self._outbox.is_open and not _exit.has_begun:
                # After a close. `logging` has forgotten this handler, so its end is ours to see to
                if self._sender:
                    self._sender.resume()
                self._stuck_at = None
                self._outbox.open()
                _exit.close_first(self)
            if self._sender:
                self._sender.ensure_started()  # with the first record: a forked process has no thread yet
        except Exception:  # noqa: BLE001  # logging must not break the program
            self._outbox.drop()
            self.handleError(record)
        else:
            self._outbox.put(event)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was logged is sent or dropped, at most `timeout` seconds."""
        if _is_being_configured():
            return
        is_empty = self._outbox.wait_until_empty(self._flush_timeout if timeout is None else timeout)
        self._stuck_at = None if is_empty or timeout is not None else self.sent

    def close(self) -> None:
        """Send what waits within `flush_timeout`, drop the rest, and end the thread."""
        super().close()
        if not self._sender:
            return
        if _is_being_configured():
            self._outbox.close()  # the thread sends what waits, and ends then
            _exit.close_first(self)
            return
        self._sender.stop()
        self._outbox.close()  # from here on, another thread's record may open it again
        # `logging.shutdown` flushes first: having waited in vain once is enough
        patience = 0.0 if self._stuck_at == self.sent else self._flush_timeout
        if self._outbox.wait_until_empty(patience):
            self._sender.join(self._flush_timeout)
        elif lost := self._outbox.abandon():
            _warn(f"{lost} log records could not be sent in time.")

    def _renew(self) -> None:
        """Start with nothing queued or counted; what waits in the parent process is the parent's to send."""
        self._outbox: Outbox[LoggedEvent] = Outbox(self._capacity)
        self._sender = (
            Sender(self._outbox, self._client, self._category, owns_client=self._owns_client)
            if self._client
            else None
        )
        self._stuck_at = None


def _is_being_configured() -> bool:
    """Whether this thread holds `logging`'s lock, as `logging.config` does while it closes all handlers.

    The sending thread would have to wait for that lock: httpx logs what it does. So nobody may wait for
    the sending thread then.
    """
    is_owned = getattr(getattr(logging, "_lock", None), "_is_owned", None)  # there is no public word for it
    return is_owned is not None and bool(is_owned())


class _Exit:
    """The program's end: from then on nothing starts again. It comes before `logging` closes its handlers,
    and closes those that `logging` has forgotten.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._handlers: set[PingPilotHandler] = set()
        self._renew()
        renew_after_fork(self)
        atexit.register(self.begin)

    def close_first(self, handler: PingPilotHandler) -> None:
        """Have a handler closed that sends, or may have something to send."""
        with self._changing:
            self._handlers = {each for each in self._handlers if not each._outbox.is_over} | {handler}

    def begin(self) -> None:
        """Close what is left."""
        self.has_begun = True
        for handler in self._handlers:
            handler.close()

    def _renew(self) -> None:
        self._changing = RLock()  # re-entrant, as a signal handler may log


_exit = _Exit()


class Sender:
    """The thread that empties an outbox until it is closed, and a new one after it was opened again.

    An event that can't be sent now is kept and tried again. Problems are told on standard error, once
    until something gets through again.
    """

    def __init__(
        self, outbox: Outbox[LoggedEvent], client: Client, category: str, *, owns_client: bool
    ) -> None:
        self._outbox = outbox
        self._client = client
        self._category = category
        self._owns_client = owns_client
        self._told = 0
        self._noted = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def ensure_started(self) -> None:
        """Start the thread unless there is one; any thread may call this."""
        if not self._outbox.hire():
            return
        try:
            self._thread = threading.Thread(target=self._run, name="pingpilot-log-sender", daemon=True)
            self._thread.start()
        except BaseException:
            self._outbox.dismiss()
            raise

    def join(self, seconds: float) -> None:
        """Wait for the thread's end, at most so long."""
        if self._thread and self._thread.is_alive():
            self._thread.join(seconds)

    def stop(self) -> None:
        """Keep nothing any more that can't be sent at once."""
        self._stopping.set()

    def resume(self) -> None:
        """Keep again what can't be sent at once."""
        self._stopping.clear()

    def _run(self) -> None:
        _this_thread.sends = True
        is_over = False
        while not is_over:
            while (event := self._outbox.take()) is not None:
                dropped = self._outbox.dropped - self._told
                sent = self._send(event, dropped)
                self._told += dropped if sent else 0
                self._outbox.done(sent=sent)
            if self._owns_client:
                self._client.close_connections()
            is_over = self._outbox.leave()

    def _send(self, event: LoggedEvent, dropped: int) -> bool:
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
            _warn(f"log records can't be sent: {error}")


def _warn(text: str) -> None:
    """Print a line on standard error, as the logging module does about its own problems."""
    if not logging.raiseExceptions or sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # closed
        print(f"{__package__}: {text}", file=sys.stderr)  # noqa: T201
