"""`/openapi.json` and `/docs`: served from the package, and asked for again only when they changed."""

import re

import pytest
from aiohttp import hdrs

from .api import ON_SQLITE, Api

pytestmark = ON_SQLITE

FILES = {
    "/openapi.json": "application/json",
    "/docs": "text/html",
    "/docs/docs.js": "text/javascript",
    "/docs/docs.css": "text/css",
    "/docs/swagger-ui-bundle.js": "text/javascript",
    "/docs/swagger-ui.css": "text/css",
}


@pytest.mark.parametrize("path", FILES)
async def test_a_file_is_served_with_its_type(api: Api, path: str) -> None:
    reply = await api.call("GET", path)

    assert reply.status == 200
    assert reply.headers["Content-Type"].partition(";")[0] == FILES[path]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.headers["X-Request-Id"]


@pytest.mark.parametrize("path", FILES)
async def test_who_has_a_file_gets_it_no_second_time(api: Api, path: str) -> None:
    tag = (await api.call("GET", path)).headers["ETag"]

    again = await api.call("GET", path, headers={"If-None-Match": tag})
    changed = await api.call("GET", path, headers={"If-None-Match": '"another"'})

    assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    assert changed.status == 200


@pytest.mark.parametrize("path", FILES)
async def test_conditions_and_ranges_are_answered_in_the_contracts_shape(api: Api, path: str) -> None:
    whole = await api.call("GET", path)

    other = await api.call("GET", path, headers={"If-Match": '"another"'})
    same = await api.call("GET", path, headers={"If-Match": whole.headers["ETag"]})
    old = await api.call("GET", path, headers={"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"})
    ranges = [
        await api.call("GET", path, headers={"Range": each}) for each in ("bytes=9-", "bytes=99999999-")
    ]

    assert other.verdict == (412, "precondition_failed")
    assert [(each.status, each.text) for each in (same, old, *ranges)] == [(200, whole.text)] * 4


async def test_the_document_is_the_same_each_time(api: Api) -> None:
    first, second = await api.call("GET", "/openapi.json"), await api.call("GET", "/openapi.json")

    assert first.text == second.text
    assert first.body["openapi"].startswith("3.1")
    assert "/api/v1/event" in first.body["paths"]


@pytest.mark.parametrize("path", ["/docs", "/unsubscribe/no-such-token"])
async def test_no_page_may_be_framed(api: Api, path: str) -> None:
    page = await api.call("GET", path)

    assert page.headers["Content-Type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_the_page_may_load_nothing_from_elsewhere(api: Api) -> None:
    page = await api.call("GET", "/docs")

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in policy
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "path", ["/docs/", "/docs/docs.html", "/docs/LICENSE", "/docs/..%2fdocs.html", "/docs/%2e%2e/app.py"]
)
async def test_nothing_else_is_served(api: Api, path: str) -> None:
    reply = await api.call("GET", path)

    assert reply.verdict == (404, "not_found")


@pytest.mark.parametrize("path", FILES)
async def test_other_methods_are_refused(api: Api, path: str) -> None:
    reply = await api.call(hdrs.METH_POST, path)

    assert reply.verdict == (405, "method_not_allowed")
    assert reply.headers["Allow"] == "GET, HEAD"
