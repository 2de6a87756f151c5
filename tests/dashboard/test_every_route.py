"""Attacks on all routes of the dashboard alike: strangers, forged forms, others' ids, hostile text."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest
from aiohttp import web
from tortoise import Tortoise

from api.app import create_app
from models import Account, Fact, Session
from pingpilot.accounts.linking import TELEGRAM_USERNAME
from pingpilot.accounts.sign_in import new_sign_in_link
from pingpilot.errors import DatabaseUnavailable
from tests.http.api import ON_SQLITE, Api, Reply

from .people import Person, a_person
from .routes import ROUTES, filled, furnish, routes_of, rows

SECRET = "a secret of Ada's"  # what no stranger may see
HOSTILE = (
    "\"'><evil onx=alert(1)><script>alert(1)</script>{{7*7}}{% raw %}${7*7}\u202e\x1b[31m&lt;</textarea><!--"
)
_TOUCHED = ("sessions", "sign_in_links", "sign_up_links", "link_guesses")
"""What a request may touch that is refused: when a session was seen, and guesses that are counted."""


async def stored() -> dict[str, list[dict[str, Any]]]:
    """Return all that is stored, but for what every request may touch."""
    models = {model.Meta.table: model for model in Tortoise.apps["models"].values()}
    return {
        name: sorted([dict(row) for row in await model.all().values()], key=str)
        for name, model in models.items()
        if name not in _TOUCHED
    }


async def ask(person: Person, name: str, ids: dict[str, str], **headers: str) -> Reply:
    """Ask one route as its row says; a POST comes from a page of ours unless `headers` say otherwise."""
    path, form = filled(ROUTES[name], ids)
    if name.startswith("GET"):
        return await person.get(path, **headers)
    return await person.post(path, form, headers=headers or {"Sec-Fetch-Site": "same-origin"})


@ON_SQLITE
def test_every_route_has_a_row(api: Api) -> None:
    """A new page: add its route to `ROUTES` in tests/dashboard/routes.py."""
    assert set(routes_of(create_app(api.services))) == set(ROUTES)


@ON_SQLITE
async def test_who_is_not_signed_in_is_led_to_the_sign_in_page_and_changes_nothing(
    api: Api, person: Person, ada: Account
) -> None:
    ids = await furnish(api, ada, SECRET)
    before = await stored()

    answers = {name: await ask(person, name, ids) for name, row in ROUTES.items() if not row.is_open}

    for name, answer in answers.items():
        assert answer.status in (204, 303), name
        assert answer.text == "", name
        if answer.status == 303 and name != "GET /settings":
            assert answer.headers["Location"].endswith("sign-in"), name
    welcome = await ask(person, "GET /", ids)
    assert "ada@" not in welcome.text + (await ask(person, "GET /sign-in", ids)).text
    assert await stored() == before


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"X": "none"}],
    ids=["cross-site", "origin", "null", "no token"],
)
@ON_SQLITE
async def test_a_form_from_elsewhere_changes_nothing(
    api: Api, person: Person, ada: Account, headers: dict[str, str]
) -> None:
    await person.sign_in(ada)
    ids = await furnish(api, ada, SECRET)
    before, sessions = await stored(), await Session.all().count()

    answers = {
        name: await ask(person, name, ids, **headers) for name, row in rows("POST").items() if not row.by_link
    }

    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 400)
    assert await stored() == before
    assert await Session.all().count() == sessions


@ON_SQLITE
async def test_another_accounts_things_are_as_unknown(
    api: Api, person: Person, ada: Account, eve: Account
) -> None:
    await person.sign_in(eve)
    ids = await furnish(api, ada, SECRET)
    unknown = dict.fromkeys(ids, "999999") | {"category": "none-such", "event": f"evt_{'0' * 32}"}
    before, sessions = await stored(), await Session.filter(account_id=ada.id).count()
    named = [name for name, row in ROUTES.items() if row.names_something and not row.is_open]

    answers = {name: (await ask(person, name, ids), await ask(person, name, unknown)) for name in named}

    for name, (theirs, nobodys) in answers.items():
        assert theirs.status == nobodys.status, name
        assert theirs.status in (303, 400, 404), name
        assert SECRET not in theirs.text.replace("&#39;", "'"), name
    assert await stored() == before
    assert await Session.filter(account_id=ada.id).count() == sessions


async def test_what_is_no_id_is_as_unknown_and_never_our_fault(
    api: Api, person: Person, ada: Account
) -> None:
    await person.sign_in(ada)
    ids = await furnish(api, ada, SECRET)

    for odd in ("0", "-1", "9" * 40, "%00", "..%2f", "é", "A" * 5000, "'; DROP TABLE events; --", "\u0665"):
        for name, row in ROUTES.items():
            if row.names_something:
                answer = await ask(person, name, dict.fromkeys(ids, odd))
                assert answer.status in (303, 400, 404, 405), (name, odd)
    for path in (
        "/events?category=%00&status=%00&before=%00",
        "/events?category=%ff&before=x",
        "/?%00=%00&=",
    ):
        assert (await person.get(path)).status == 200, path
    for name in rows("POST"):
        path, _ = filled(ROUTES[name], ids)
        for body in (b"\xff\xfe=%ff&do=%00", b"do=create&do=change&name=" + b"n" * 60_000, b"&" * 300, b"{}"):
            headers = {
                "Sec-Fetch-Site": "same-origin",
                "Accept": "text/html",
                "Content-Type": "application/x-www-form-urlencoded",
            }
            async with person.session.post(
                api.url + path, data=body, headers=headers, allow_redirects=False
            ) as answered:
                assert answered.status < 500, (name, body[:20])


@ON_SQLITE
async def test_every_answer_carries_what_protects_it(api: Api, person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    session = person.cookies["pingpilot_session"]
    api.services.base_url = "https://example.org/ping"
    ids = await furnish(api, ada, "text")
    del ids["session"], ids["key"]
    ids |= {"session": "0", "key": "0"}
    # After them, nobody is signed in
    last = ("POST /sign-out", "POST /sign-in/{token}", "POST /sign-up/{token}")

    for name in sorted(set(ROUTES) - {"GET /live"}, key=lambda each: each in last):
        answer = await ask(person, name, ids, Cookie=f"pingpilot_session={session}")
        headers = answer.headers
        if ROUTES[name].is_page:
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, name
            assert "unsafe-" not in policy, name
            assert "frame-ancestors 'none'" in policy, name
            assert headers["Referrer-Policy"] in ("same-origin", "no-referrer"), name
            assert headers["Cache-Control"] == "no-store", name
            assert headers["Strict-Transport-Security"] == "max-age=31536000", name
        assert headers["X-Content-Type-Options"] == "nosniff", name


class Tree(HTMLParser):
    """What a page consists of: its elements with their attributes, and what it says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_comment(self, data: str) -> None:
        self.elements.append(("a comment", {}))

    @property
    def addresses(self) -> list[str]:
        """All that the page leads to or loads, as it is written."""
        names = ("href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect")
        return [values[name] for _, values in self.elements for name in names if name in values]


@ON_SQLITE
async def test_hostile_text_is_shown_as_text(api: Api, person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    ids = await furnish(api, ada, HOSTILE)
    await Fact.keep(TELEGRAM_USERNAME, HOSTILE)

    pages = {name: await ask(person, name, ids) for name in rows("GET", pages=True)}
    pages["a code"] = await person.post("/", {"do": "code"})
    pages["a name"] = await person.post("/settings/categories", {"do": "create", "name": HOSTILE})
    pages["a key"] = await person.post("/settings/keys", {"do": "create", "name": HOSTILE})
    pages["an address"] = await person.post("/sign-in", {"email": HOSTILE})
    pages["a filter"] = await person.get("/events?category=%22%3E%3Cevil%20onx%3D1%3E")
    pages["an agent"] = await person.get("/settings/sessions", **{"User-Agent": "<evil onx=1>"})

    for name, page in pages.items():
        if page.status == 303:
            continue
        assert page.headers["Content-Type"].startswith("text/html"), name
        tree = Tree(page.text)
        for tag, values in tree.elements:
            assert tag not in ("evil", "a comment"), name
            assert not [each for each in values if each.startswith("on") or each == "style"], (name, values)
            assert tag != "script" or values.keys() == {"src", "defer"}, name
        assert not [each for each in tree.addresses if each.lower().startswith("javascript:")], name
    for name in ("GET /events/{event_id}", "GET /events", "GET /settings/keys", "GET /settings/sessions"):
        assert "<script>alert(1)</script>{{7*7}}" in Tree(pages[name].text).said, name


@ON_SQLITE
async def test_below_a_path_every_address_of_every_page_leads_there(
    api: Api, person: Person, ada: Account
) -> None:
    async with below_a_path(api) as root:
        api.services.base_url = root
        link = await new_sign_in_link(ada, root, api.clock.now())
        ids = await furnish(api, ada, "text", events=60)
        outside = Person(Api(root, *[getattr(api, name) for name in _REST]), person.session)
        pages = {f"{root}{filled(row, ids)[0]}": row for row in rows("GET", pages=True).values()}
        addresses = dict[str, str]()
        await person.session.get(f"{root}/sign-in/{ids['sign_in']}")
        signed_in = await outside.post(link.url.removeprefix(root))
        assert signed_in.status == 303
        assert urljoin(link.url, signed_in.headers["Location"]) == f"{root}/"
        for url in pages:
            async with person.session.get(url, headers={"Accept": "text/html"}) as answer:
                assert answer.status == 200, url
                tree = Tree(await answer.text())
            for tag, values in tree.elements:
                for name in ("href", "src", "hx-get", "hx-sse:connect"):
                    if name in values:
                        addresses[urljoin(url, values[name])] = f"{url}: {values[name]}"
                if tag == "form":
                    method, action = values.get("method", "get"), urljoin(url, values.get("action", ""))
                    assert action.startswith(f"{root}/"), (url, action)
                    if method == "post" and not re.search("/(unsubscribe|confirm-)", action):
                        async with person.session.post(action, headers={"Origin": "null"}) as answer:
                            assert answer.status == 400, (url, action)
        ours = {each: where for each, where in addresses.items() if "//example.com" not in each}
        assert len(ours) > 20
        for each, where in ours.items():
            assert each.startswith(f"{root}/"), where
            if "/live" not in each:
                async with person.session.get(each, headers={"Accept": "text/html"}) as answer:
                    assert answer.status == 200, where
                    assert urlsplit(str(answer.url)).path.startswith("/ping/"), where
    assert all(cookie["path"] == "/ping" for cookie in person.session.cookie_jar if cookie.key)


_REST = ("services", "clock", "session", "composition", "mailer")


@asynccontextmanager
async def below_a_path(api: Api) -> AsyncIterator[str]:
    """A proxy that has the dashboard below `/ping`, and nothing else; returns its address there."""

    async def pass_on(request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name not in ("Host",)}
        async with session.request(
            request.method,
            f"{api.url}/{request.match_info['rest']}",
            params=request.query,
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            kept = answer.headers.copy()
            for name in ("Content-Length", "Content-Encoding", "Transfer-Encoding"):
                kept.popall(name, None)
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", "/ping/{rest:.*}", pass_on)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/ping"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "*/*", "application/json"])
@ON_SQLITE
async def test_an_error_is_a_page_for_people_and_json_for_programs(
    api: Api, person: Person, ada: Account, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_person = "html" in accept
    own = {"Accept": accept, "Sec-Fetch-Site": "same-origin"}
    await person.sign_in(ada)
    answers = {
        404: await person.get("/nothing", **own),
        405: await person.post("/events", headers=own),
        413: await person.post("/settings/keys", {"name": "x" * 70_000}, headers=own),
        400: await person.post("/settings/keys", headers={"Accept": accept, "Origin": "null"}),
    }

    async def away(*_: object) -> None:
        raise DatabaseUnavailable("The database is away.")

    with monkeypatch.context() as patched:
        patched.setattr("api.dashboard.visitors.session_behind", away)
        answers[500] = await person.get("/settings/keys", **own)
    api.services.stopping = True
    answers[503] = await person.get("/", **own)
    style = re.search(r'href="\./(assets/[^"]+css)"', answers[503].text)

    for status, answer in answers.items():
        assert answer.status == status
        assert answer.headers["X-Request-Id"]
        if is_person:
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.text.count("<h1>") == 1
            assert 'href="./"' in answer.text or 'href="../"' in answer.text
        else:
            assert answer.body["code"]
    if is_person:
        assert answers[500].headers["X-Request-Id"] in answers[500].text
        assert "Idempotency" not in answers[500].text
        assert style
        assert (await person.get(f"/{style[1]}")).status == 200  # the page of a stopping daemon has its looks


@ON_SQLITE
async def test_head_is_answered_as_get_without_a_body(api: Api, person: Person, ada: Account) -> None:
    ids = await furnish(api, ada, "text")
    async with a_person(api) as stranger:
        for who in (stranger, person):
            for row in [each for each in rows("GET").values() if each.path != "/live"]:
                path = filled(row, ids)[0]
                async with who.session.head(
                    api.url + path, headers={"Accept": "text/html"}, allow_redirects=False
                ) as head:
                    assert (await head.read(), head.status) == (b"", (await who.get(path)).status), path
            async with who.session.head(f"{api.url}/live", headers={"Accept": "text/html"}) as head:
                assert head.status in (204, 405)
            await person.sign_in(ada)
