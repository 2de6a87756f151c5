"""The API on a socket, and the programs that call it."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, TCPConnector, web

from api.app import create_app
from api.server import ApiRunner
from api.services import Services
from models import Account, Destination, Event, MonthlyUsage, Plan
from pingpilot.accounts.accounts import create_account
from tests.support.clock import ManualClock
from tests.support.composition import Composition
from tests.support.mailer import Mailer

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For tests in which the database makes no difference."""
EVENT = "/api/v1/event"
SALE: Mapping[str, Any] = {"category": "sale"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def verdict(self) -> tuple[int, str | None]:
        """The status and the error's code."""
        return self.status, self.body.get("code")

    @property
    def faults(self) -> list[str]:
        """The members a `validation_error` names, in its order."""
        return [fault["field"] for fault in self.body["errors"]]


@dataclass(slots=True)
class Api:
    """A served API: `url` is where, `services` what it works with, made from `composition`."""

    url: str
    services: Services
    clock: ManualClock
    session: ClientSession
    composition: Composition
    mailer: Mailer

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> Reply:
        async with self.session.request(
            method, self.url + path, headers=headers, data=data, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.text())

    async def first_line_for(self, request: bytes) -> str:
        """Send bytes as they are; return the answer's first line, which may come before all are sent."""
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(request)
            async with asyncio.timeout(5):
                return (await reader.readline()).decode().strip()
        finally:
            writer.close()

    async def sign_up(
        self,
        email: str = "shop@example.com",
        *,
        plan: Plan = Plan.FREE,
        monthly_events: int | None = None,
        channels: Collection[str] = (),
    ) -> "Program":
        """Return a program with the key of a new account."""
        made = await create_account(
            email, plan=plan, monthly_events=monthly_events, channels=channels, now=self.clock.now()
        )
        return Program(self, made.account, made.api_key)


@dataclass(frozen=True, slots=True)
class Program:
    """A customer's program, which calls the API with its account's key."""

    api: Api
    account: Account
    key: str

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> Reply:
        return await self.api.call(
            method, path, headers={**self._authorization, **(headers or {})}, data=data
        )

    async def get(self, path: str) -> Reply:
        return await self.call("GET", path)

    async def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """Make a call of the API with a JSON body, where there is one to send."""
        return await self.call(method, path, data=None if body is None else json.dumps(body).encode())

    async def post(self, body: Any = SALE, **headers: str) -> Reply:
        """Post an event; `Idempotency_Key="a"` stands for the header `Idempotency-Key: a`."""
        return await self.send(json.dumps(body).encode(), **headers)

    async def send(self, data: Any, **headers: str) -> Reply:
        """Post a body as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", EVENT, headers=named, data=data)

    async def link(self, channel: str) -> None:
        """Link one of the account's channels to a chat, and switch it on."""
        await Destination.link(
            self.account.id, channel, address="4711", user_id="4711", username=None, at=self.api.clock.now()
        )

    async def stored_events(self) -> int:
        return await Event.filter(account_id=self.account.id).count()

    async def charged_events(self) -> int:
        """The account's count over all months."""
        return sum([row.events for row in await MonthlyUsage.filter(account_id=self.account.id)])

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@asynccontextmanager
async def serving(
    clock: ManualClock, *, head_timeout: float = 10.0, write_timeout: float = 30.0
) -> AsyncIterator[Api]:
    """Serve the API over the open database, and call it through one session."""
    composition = Composition(clock=clock)
    services, mailer = await composition.services(), Mailer()
    services.senders = {mailer.name: mailer}
    runner = ApiRunner(create_app(services), head_timeout=head_timeout, write_timeout=write_timeout)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession(connector=TCPConnector(limit=100)) as session:
            host, port = runner.addresses[0][:2]
            yield Api(f"http://{host}:{port}", services, clock, session, composition, mailer)
    finally:
        await runner.cleanup()
        await composition.database.close()
