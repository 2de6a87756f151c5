"""A server of the event API that misbehaves on demand."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from aiohttp import web

from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.server import HttpStandIn, json_answer

ROUTE = "POST /api/v1/event"


class FlakyPingPilot(HttpStandIn):
    """Takes every event unless a fault strikes; keeps what arrived, idempotency keys as they came.

    A fault's text is sent as it is, its body as JSON.
    """

    def __init__(self) -> None:
        super().__init__(host="127.0.0.1", port=0)
        self.requests: list[web.Request] = []
        self.events: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def keys(self) -> list[str]:
        """The idempotency key of each request."""
        return [request.headers["Idempotency-Key"] for request in self.requests]

    def refuse(self, status: int, code: str, *, times: int | None = 1, **more: Any) -> None:
        """Answer with an error in the contract's shape."""
        headers = more.pop("headers", None)
        body = {"message": f"This is {code}.", "code": code, **more}
        self.faults.add(Fault.status(status, body=body, headers=headers), times=times)

    def misbehave(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self.faults.add(fault)

    async def wait_for_requests(self, count: int) -> None:
        await self.wait_for_calls(ROUTE, count)

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/{path:.*}", self._accept)

    async def _accept(self, request: web.Request) -> web.Response:
        body, key = await request.json(), request.headers["Idempotency-Key"]
        replayed = key in self.events
        self.events.setdefault(key, body)
        event_id = f"evt_{UUID(int=list(self.events).index(key)).hex}"
        headers = {"Idempotent-Replayed": "true"} if replayed else {}
        return json_answer({"message": "Event accepted.", "eventId": event_id}, headers=headers)

    def _route_of(self, request: web.Request) -> str:
        self.requests.append(request)
        return self._name_of(request)

    def _name_of(self, request: web.Request) -> str:
        return f"{request.method} {request.path}"

    def _accepts_message(self, request: web.Request) -> bool:
        return request.method == "POST"

    def _answer_fault(self, fault: Fault) -> web.Response:
        body = json.dumps(fault.body) if fault.body is not None else fault.text or "<h1>Oh dear</h1>"
        return web.Response(text=body, status=fault.code, headers=fault.headers)
