"""The client for programs on asyncio."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self, TypeVar

import httpx

from . import calls
from .calls import Call
from .connection import Connection, lost, take
from .replies import Lost, Reply
from .results import Accepted, Event, FieldValue, Quota
from .tries import Patience, Pause, Tries

T = TypeVar("T")


class AsyncClient:
    """Talks to a PingPilot as `Client` does, from coroutines; belongs to one event loop."""

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
        self._http = httpx.AsyncClient(**self._connection.options())

    async def send(
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
        """Send one event, as `Client.send` does."""
        call = calls.send(
            category,
            description,
            title=title,
            url=url,
            fields=fields,
            idempotency_key=idempotency_key,
            wait=wait,
        )
        return await self._result(call)

    async def event(self, event_id: str) -> Event:
        """Return an event of the account."""
        return await self._result(calls.event(event_id))

    async def retry(self, event_id: str) -> Event:
        """Have the event's failed deliveries tried again; return the event."""
        return await self._result(calls.retry(event_id))

    async def quota(self) -> Quota:
        """Return the account's month so far."""
        return await self._result(calls.quota())

    async def aclose(self) -> None:
        """Close the connections; the client can't be used any more."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._connection.url}>"

    async def _result(self, call: Call[T]) -> T:
        tries = Tries(call, self._patience, self._connection.url)
        while isinstance(verdict := tries.judge(await self._try(tries)), Pause):  # noqa: ASYNC110
            await asyncio.sleep(verdict.seconds)
        return verdict

    async def _try(self, tries: Tries[Any]) -> Reply | Lost:
        content = bytearray()
        try:
            async with self._http.stream(**self._connection.request(tries)) as response:
                async for chunk in response.aiter_raw():
                    if not take(content, chunk, tries):
                        break
                return Reply(response.status_code, response.headers, bytes(content))
        except httpx.TransportError as exc:
            return lost(exc)
