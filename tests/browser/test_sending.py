"""A web page of another origin that sends an event, as a browser lets it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page

from api.cors import Cors
from models import KeyScope
from pingpilot.accounts.keys import KeyRights, create_key
from tests.http.api import EVENT, serving
from tests.support.clock import ManualClock

SEND = """async ([url, key]) => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {'Authorization': `Bearer ${key}`, 'Content-Type': 'application/json', 'Idempotency-Key': '1'},
    body: JSON.stringify({category: 'sale'}),
  });
  const [rateLimit, requestId] = ['RateLimit', 'X-Request-Id'].map(name => answer.headers.get(name));
  return [answer.status, await answer.text(), rateLimit, requestId];
}"""


@asynccontextmanager
async def a_shop() -> AsyncIterator[str]:
    """Serve a page from an origin of its own."""

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Shop</title>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", show)
    application.router.add_get("/favicon.ico", show)
    async with TestServer(application) as server:
        yield str(server.make_url("/")).rstrip("/")


async def test_a_page_of_an_allowed_origin_sends_and_reads_the_answers(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    async with serving(clock) as api, a_shop() as shop:
        api.services.cors = Cors((shop,))
        program = await api.sign_up()
        _, key = await create_key(program.account, "page", clock.now(), KeyRights(KeyScope.SEND, None))
        await page.goto(shop)

        status, text, rate_limit, request_id = await page.evaluate(SEND, [api.url + EVENT, key])

    assert (status, "eventId" in json.loads(text)) == (200, True)
    assert rate_limit.startswith('"month";r=99')
    assert request_id
