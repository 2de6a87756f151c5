"""What `api.server` uses of aiohttp that aiohttp promises to nobody."""

import inspect

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from api.server import KEEPALIVE

KEPT_BY_PROXIES = {"nginx": 60, "Traefik": 90, "Caddy": 120}
"""Seconds for which each keeps an idle connection to what is behind it, unless it is told otherwise."""


def test_no_proxy_writes_into_a_connection_that_is_just_being_closed() -> None:
    assert max(KEPT_BY_PROXIES.values()) < KEEPALIVE


def test_a_connection_tells_that_it_waits_for_a_request() -> None:
    assert "_waiter" in web.RequestHandler.__slots__


def test_a_runner_makes_its_server_in_a_method_of_its_own() -> None:
    assert inspect.iscoroutinefunction(web.AppRunner._make_server)


def test_a_request_is_told_its_match() -> None:
    request, match = make_mocked_request("POST", "/"), object()

    request._match_info = match  # type: ignore[assignment]

    assert request.match_info is match


async def test_a_server_keeps_what_it_was_given() -> None:
    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    server = web.Server(handler)

    assert server.request_handler is handler
    assert callable(server.request_factory)


def test_a_handler_is_made_and_fails_with_the_arguments_that_we_pass_on() -> None:
    made = inspect.signature(web.RequestHandler.__init__).parameters
    failing = inspect.signature(web.RequestHandler.handle_error).parameters

    assert {"loop", "access_log", "auto_decompress", "keepalive_timeout"} <= made.keys() | {"kwargs"}
    assert list(failing) == ["self", "request", "status", "exc", "message"]


def test_a_connection_tells_that_its_reading_is_paused() -> None:
    assert "_reading_paused" in {name for each in web.RequestHandler.__mro__ for name in vars(each)}


async def test_a_body_that_was_read_by_us_is_found_where_aiohttp_looks() -> None:
    request = make_mocked_request("POST", "/")

    request._read_bytes = b"said"

    assert await request.read() == b"said"
