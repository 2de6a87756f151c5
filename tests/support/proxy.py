"""A proxy between a program and the daemon, which may lose answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from pingpilot.sandbox.server import reset_connection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Proxy:
    """Passes events on and keeps the idempotency key of each request.

    One that loses answers cuts the first off, and gives a page of its own in place of the second.
    """

    def __init__(self, target: str, *, loses_answers: bool = False) -> None:
        self._target = target
        self._loses_answers = loses_answers
        self.idempotency_keys: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.idempotency_keys.append(request.headers["Idempotency-Key"])
        answer = await self._pass_on(request)
        if self._loses_answers and len(self.idempotency_keys) == 1:
            reset_connection(request.transport)
        if self._loses_answers and len(self.idempotency_keys) == 2:
            return web.Response(status=502, text="<h1>Bad Gateway</h1>")
        return answer

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("Authorization", "Idempotency-Key")}
        url, body = self._target + request.path, await request.read()
        async with aiohttp.request("POST", url, data=body, headers=headers) as answer:
            kept = {"Retry-After": answer.headers["Retry-After"]} if "Retry-After" in answer.headers else {}
            return web.Response(body=await answer.read(), status=answer.status, headers=kept)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A web server that gives every POST to `handler`; returns its address."""
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
