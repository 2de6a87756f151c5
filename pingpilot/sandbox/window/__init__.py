"""The sandbox as a page: Discord, Telegram and a mailbox side by side, as people see them.

It listens on 127.0.0.1 alone, and only answers what was meant for that address: another name that leads
here is a web page's attempt to look in.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp_sse import sse_response

from pingpilot.channels import CHANNELS, EMAIL, WEBHOOK
from pingpilot.client import ClientError
from pingpilot.errors import PingPilotError
from pingpilot.rendering.looks import FRAMED, STYLESHEET, MailLook, draw, framed
from pingpilot.rendering.templates import templates
from pingpilot.sandbox.inbox import Changes
from pingpilot.sandbox.person import Person
from pingpilot.sandbox.platforms import Platform
from pingpilot.sandbox.server import GRACE_SECONDS
from pingpilot.sandbox.window.transcript import Transcript

HOST = "127.0.0.1"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LARGEST_FORM = 64 * 1024
_LONGEST_LINE = 4096  # Telegram takes no longer message
_SHORTEST = 0.3  # seconds between two times that a page loads what is new: a load test must not be slowed
_BROWSER_GONE = 1.0  # seconds after which it is noticed


class Window:
    """A web server with one page, running between entering and leaving it.

    `person` does what is typed there; `new_link` makes a link that signs a browser in to the dashboard;
    `send` sends an event, or raises `ClientError`; `curl` is the command that does. `assets` are the
    dashboard's, by their names: `pingpilot.css`, `htmx.js`, `icon.svg`.
    """

    def __init__(
        self,
        listener: socket.socket,
        platforms: Mapping[str, Platform],
        person: Person,
        *,
        new_link: Callable[[], Awaitable[str]],
        send: Callable[[], Awaitable[object]],
        curl: str,
        assets: Mapping[str, bytes],
    ) -> None:
        self._listener = listener
        self._platforms = platforms
        self._person = person
        self._new_link = new_link
        self._send = send
        self._curl = curl
        own = (STYLESHEET, Path(__file__).parent / "window.css")
        self._assets = {**assets, **{file.name: file.read_bytes() for file in own}}
        self._port = int(listener.getsockname()[1])
        self._changes, self._count, self._ending = Changes(), 0, False
        self._transcripts = {name: Transcript(self._note_change) for name in platforms}
        self._chats = [name for name in platforms if CHANNELS[name].needs_link]
        for name, platform in platforms.items():
            platform.draw_on(self._transcripts[name])
        app = web.Application(middlewares=[self._guard], client_max_size=_LARGEST_FORM)
        app.router.add_get("/", self._show)
        app.router.add_get("/live", self._tell_of_changes)
        app.router.add_get("/mail/{key}", self._show_mail)
        app.router.add_get("/assets/{name}", self._show_asset)
        app.router.add_get("/dashboard", self._to_dashboard)
        app.router.add_post("/send", self._take_send)
        app.router.add_post("/{chat}", self._take_line)
        app.router.add_post("/{chat}/press", self._take_press)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self._port}/"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._ending = True
        self._changes.announce()
        await self._runner.cleanup()

    def _note_change(self) -> None:
        self._count += 1
        self._changes.announce()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what another page has a browser ask: by a name of its own for this address, or by a form."""
        ours = {f"{HOST}:{self._port}", f"localhost:{self._port}"}
        origin = request.headers.get("Origin", "")
        is_ours = request.headers.get("Sec-Fetch-Site") in ("same-origin", "none") or origin in {
            f"http://{host}" for host in ours
        }
        if request.host not in ours or (request.method == "POST" and not is_ours):
            raise web.HTTPForbidden(text=f"This page is at {self.url}, and takes nothing from other pages.\n")
        response = await handler(request)
        if not response.prepared:
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    async def _show(self, request: web.Request) -> web.Response:
        mailbox = self._transcripts[EMAIL.name]
        page = templates("pingpilot.sandbox", "window").get_template("page.html")
        text = page.render(
            chats=[(CHANNELS[name], self._transcripts[name].entries) for name in self._chats],
            rooms={name: self._platforms[name].rooms for name in self._chats},
            mails=mailbox.entries[::-1],
            mail=mailbox.entry(request.query.get("mail", "")),
            requests=self._transcripts[WEBHOOK.name].entries[::-1],
            at=request.query.get("at", ""),
            query=request.rel_url.raw_query_string,
            count=self._count,
            curl=self._curl,
            draw=draw,
            zone=datetime.now().astimezone().tzinfo,
        )
        return web.Response(text=text, content_type="text/html")

    async def _tell_of_changes(self, request: web.Request) -> web.StreamResponse:
        known = request.headers.get("Last-Event-ID") or request.query.get("seen", "")
        async with sse_response(request) as stream:
            # aiohttp tells no handler that the browser is gone: its next request has another transport
            with suppress(ConnectionResetError):
                while request.transport is not None and not self._ending:
                    if known != (known := str(self._count)):
                        await stream.send("", id=known, event="changed")
                        await self._passes(_SHORTEST, unless=lambda: self._ending)
                    await self._passes(
                        _BROWSER_GONE, unless=lambda: self._ending or known != str(self._count)
                    )
        return stream

    async def _passes(self, seconds: float, *, unless: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            await self._changes.until(unless, timeout=seconds, what="a change")

    async def _show_mail(self, request: web.Request) -> web.Response:
        entry = self._transcripts[EMAIL.name].entry(request.match_info["key"])
        if entry is None or not isinstance(entry.look, MailLook):
            raise web.HTTPNotFound(text="There is no such mail.\n")
        return web.Response(text=framed(entry.look.html), content_type="text/html", headers=FRAMED)

    async def _show_asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._assets:
            raise web.HTTPNotFound(text="There is no such file.\n")
        return web.Response(body=self._assets[name], content_type=_TYPES[Path(name).suffix])

    async def _to_dashboard(self, _request: web.Request) -> web.Response:
        try:
            link = await self._new_link()
        except PingPilotError as exc:
            return web.Response(text=f"{exc}\n", status=429)
        return web.Response(status=303, headers={"Location": link})

    async def _take_send(self, request: web.Request) -> web.Response:
        try:
            await self._send()
        except ClientError as exc:
            self._tell(self._chats[0], f"The event was not sent: {exc}")
        return _back(await request.post())

    async def _take_line(self, request: web.Request) -> web.Response:
        name, form = self._chat(request), await request.post()
        where, words = str(form.get("where", "")), " ".join(str(form.get("words", "")).split())
        if where.removeprefix("#") not in self._platforms[name].rooms:
            where = ""
        buttons = {"code": "code", "refuse": f"refuse {name}"}
        line = buttons.get(
            str(form.get("do", "")), f"{name} {where} {words[:_LONGEST_LINE]}" if words else ""
        )
        self._tell(name, await self._person.do(" ".join(line.split())))
        return _back(form, at=name)

    async def _take_press(self, request: web.Request) -> web.Response:
        name, form = self._chat(request), await request.post()
        message, action = str(form.get("message", "")), str(form.get("action", ""))
        self._tell(name, await self._person.press(name, message, action))
        return _back(form, at=name)

    def _chat(self, request: web.Request) -> str:
        name = request.match_info["chat"]
        if name not in self._chats:
            raise web.HTTPNotFound(text="There is no such chat.\n")
        return name

    def _tell(self, name: str, sentence: str) -> None:
        if sentence:
            self._transcripts[name].note(sentence)


def _back(form: Mapping[str, object], **more: str) -> web.Response:
    """Lead back to the page, with the mail that was open."""
    query = {name: value for name, value in {"mail": str(form.get("mail", "")), **more}.items() if value}
    return web.Response(status=303, headers={"Location": f"/?{urlencode(query)}"})
