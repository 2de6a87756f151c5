"""The client for programs without an event loop, and its new start in a forked process."""

import os
import time
from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeVar
from weakref import WeakSet

import httpx

from . import calls
from .calls import Call
from .connection import Connection, lost, take
from .replies import Lost, Reply
from .results import Accepted, Event, FieldValue, Quota
from .tries import Patience, Pause, Tries

T = TypeVar("T")


class Renewable(Protocol):
    """Something with locks, threads or connections."""

    def _renew(self) -> None:
        """Start anew: in a forked process, other threads' locks stay locked for ever."""


_LIVING: WeakSet[Renewable] = WeakSet()


def renew_after_fork(thing: Renewable) -> None:
    """Have `thing` renewed in each child process, as long as it lives."""
    _LIVING.add(thing)


def _renew_all() -> None:
    for thing in list(_LIVING):
        thing._renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_renew_all)


class Client:
    """Talks to a PingPilot; may be shared by threads, and used on after a fork.

    Without `url` and `api_key`, `PINGPILOT_URL` and `PINGPILOT_API_KEY` are read. A try may be silent for
    `timeout` seconds; calls are tried again for up to `give_up_after` seconds, besides the time that
    `send` is told to wait. Each call raises a `ClientError` once that is over, or at once if trying again
    can't help.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 10.0,
        give_up_after: float = 30.0,
    ) -> None:
        self._connection = Connection(url, api_key)
        self._patience = Patience(timeout, give_up_after)
        self._renew()
        renew_after_fork(self)

    def send(
        self,
        category: str,
        description: str = "",
        *,
        title: str | None = None,
        url: str | None = None,
        fields: Mapping[str, FieldValue] | None = None,
        idempotency_key: str | None = None,
        wait: int | None = None,
    ) -> Accepted:
        """Send one event; return once it is stored, however many tries that takes, and never store it twice.

        `title` (up to 200 characters) stands in place of the category's name and links to `url`.
        With `wait` (1 to 30 seconds), return once its deliveries are settled or the time is over; a
        delivery that failed for good raises `DeliveryFailed`. Give an `idempotency_key` of your own to be
        safe over restarts of your program, too. Raises `ValueError` for what no request can hold.
        """
        call = calls.send(
            category,
            description,
            title=title,
            url=url,
            fields=fields,
            idempotency_key=idempotency_key,
            wait=wait,
        )
        return self._result(call)

    def event(self, event_id: str) -> Event:
        """Return an event of the account."""
        return self._result(calls.event(event_id))

    def retry(self, event_id: str) -> Event:
        """Have the event's failed deliveries tried again; return the event."""
        return self._result(calls.retry(event_id))

    def quota(self) -> Quota:
        """Return the account's month so far."""
        return self._result(calls.quota())

    def close(self) -> None:
        """Close the connections; the client can't be used any more."""
        self._http.close()

    def close_connections(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._http.close()
        self._renew()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._connection.url}>"

    def _result(self, call: Call[T]) -> T:
        tries = Tries(call, self._patience, self._connection.url)
        while isinstance(verdict := tries.judge(self._try(tries)), Pause):
            time.sleep(verdict.seconds)
        return verdict

    def _try(self, tries: Tries[Any]) -> Reply | Lost:
        content = bytearray()
        try:
            with self._http.stream(**self._connection.request(tries)) as response:
                for chunk in response.iter_raw():
                    if not take(content, chunk, tries):
                        break
                return Reply(response.status_code, response.headers, bytes(content))
        except httpx.TransportError as exc:
            return lost(exc)

    def _renew(self) -> None:
        """Start with connections of one's own; those of the parent process are left to it."""
        self._http = httpx.Client(**self._connection.options())
