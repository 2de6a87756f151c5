"""Signing in by the header of a proxy: believed from that proxy alone, and as long as it says so."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar
from multidict import CIMultiDict

from api.addresses import TrustedProxies
from models import Account, Plan, Session, SignUpLink
from pingpilot.accounts.accounts import suspend_account
from pingpilot.accounts.sign_up import Newcomers, SignUp, invite
from tests.http.api import ON_SQLITE, Api, Reply

from .people import Person, a_person, text_of, token_in

HEADER = "Remote-Email"
PAGE = "text/html"
pytestmark = ON_SQLITE


@pytest.fixture
async def api(api: Api) -> Api:
    api.services.sign_in_header = HEADER
    api.services.proxies = TrustedProxies(["127.0.0.0/8"])
    return api


@pytest.fixture
async def stranger(api: Api) -> AsyncIterator[Person]:
    async with a_person(api) as somebody:
        yield somebody


async def named(person: Person, email: str, path: str = "/events") -> Reply:
    return await person.get(path, **{HEADER: email})


async def test_the_header_signs_in_and_the_session_goes_on(
    person: Person, ada: Account, eve: Account
) -> None:
    first = await named(person, " Ada@Example.com ", "/settings/sessions")
    again = [await named(person, "ada@example.com", path) for path in ("/", "/events")]
    form = {"token": token_in(first), "session": "others"}
    posted = await person.post("/settings/sessions", form, headers={HEADER: "ada@example.com"})

    assert [first.status, *(each.status for each in again), posted.status] == [200, 200, 200, 303]
    assert "ada@example.com · Free" in text_of(first)
    assert [each.account_id for each in await Session.all()] == [ada.id]


async def test_another_name_ends_the_session_and_no_name_leaves_it_asleep(
    person: Person, ada: Account, eve: Account
) -> None:
    await named(person, "ada@example.com")
    without = await person.get("/events")
    still = await Session.get()
    await named(person, "ada@example.com")
    other = await named(person, "eve@example.com")

    assert (without.status, without.headers["Location"]) == (303, "./sign-in")
    assert still.account_id == ada.id
    assert "eve@example.com · Free" in text_of(other)
    assert [each.account_id for each in await Session.all()] == [eve.id]


async def test_a_link_signs_in_to_another_account_beside_the_header(
    person: Person, ada: Account, eve: Account
) -> None:
    await person.sign_in(eve)

    assert "eve@example.com · Free" in text_of(await named(person, "ada@example.com"))


@pytest.mark.parametrize(
    "trusted", [[], ["192.0.2.1"], ["10.0.0.0/8", "::1"]], ids=["nobody", "another", "others"]
)
async def test_nobody_else_can_say_who_they_are(
    api: Api, person: Person, ada: Account, trusted: list[str]
) -> None:
    api.services.proxies = TrustedProxies(trusted)

    for forwarded in ("192.0.2.1", "10.0.0.1", "127.0.0.1", "::1", "192.0.2.1, 10.0.0.1"):
        answer = await person.get(
            "/events",
            **{HEADER: "ada@example.com", "X-Forwarded-For": forwarded, "Forwarded": f"for={forwarded}"},
        )
        assert (answer.status, answer.headers["Location"]) == (303, "./sign-in")
    assert not await Session.exists()


@pytest.mark.parametrize(
    "values",
    [
        ["ada@example.com", "eve@example.com"],
        ["ada@example.com", ""],
        ["ada@example.com, eve@example.com"],
        ["ada@example.com;eve@example.com"],
        ["ada"],
        ["Ada <ada@example.com>"],
        ["a" * 4000 + "@example.com"],
    ],
)
async def test_what_is_not_one_address_is_refused(api: Api, ada: Account, values: list[str]) -> None:
    headers = CIMultiDict([("Accept", PAGE), *((HEADER, value) for value in values)])
    async with (
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
        session.get(f"{api.url}/events", headers=headers, allow_redirects=False) as answer,
    ):
        text = await answer.text()

    assert answer.status == 400
    assert "does not name one e-mail address" in text
    assert not await Session.exists()


async def test_an_address_without_an_account_is_told_so(api: Api, person: Person, ada: Account) -> None:
    told = [await named(person, "grace@example.com", path) for path in ("/", "/events", "/settings/keys")]

    for page in told:
        assert page.status == 403
        assert "grace@example.com has no account here" in text_of(page)
        assert "Ask whoever runs this server to make one." in text_of(page)
    assert await Account.all().count() == 1
    assert not await Session.exists()


async def test_where_sign_up_is_open_the_header_makes_one_account(
    api: Api, person: Person, stranger: Person, ada: Account
) -> None:
    api.services.newcomers = Newcomers(SignUp.OPEN, Plan.PRO)

    pages = await asyncio.gather(*(named(each, "grace@example.com") for each in (person, stranger)))

    assert [each.status for each in pages] == [200, 200]
    assert (await Account.get(email="grace@example.com")).plan == "pro"


async def test_whoever_is_invited_gets_their_account_by_the_header(
    api: Api, person: Person, ada: Account
) -> None:
    api.services.newcomers = newcomers = Newcomers(SignUp.INVITE)
    await invite("grace@example.com", Plan.ENTERPRISE, newcomers, "", api.clock.now())

    assert "has no account here" in text_of(await named(person, "eve@example.com"))
    assert (await named(person, "grace@example.com")).status == 200
    assert (await Account.get(email="grace@example.com")).plan == "enterprise"
    assert not await SignUpLink.exists()


async def test_signing_out_says_that_the_proxy_still_signs_in(person: Person, ada: Account) -> None:
    await named(person, "ada@example.com")
    named_by_the_proxy = {"Sec-Fetch-Site": "same-origin", HEADER: "ada@example.com"}

    page = await person.post("/sign-out", headers=named_by_the_proxy)

    assert "sign out there as well" in text_of(page)
    assert "pingpilot_session" not in person.cookies
    assert not await Session.exists()


async def test_a_suspended_account_is_not_let_in_by_it(api: Api, person: Person, ada: Account) -> None:
    await suspend_account(ada, api.clock.now())

    page = await named(person, "ada@example.com")

    assert page.status == 403
    assert "This account is suspended" in text_of(page)


async def test_programs_and_the_api_are_untouched_by_it(api: Api, person: Person, ada: Account) -> None:
    program = await api.sign_up("shop@example.com")
    event = await program.post({"category": "sale"}, Remote_Email="ada@example.com")
    without_key = await api.call("GET", "/api/v1/quota", headers={HEADER: "ada@example.com"})
    not_a_browser = await person.get("/events", Accept="*/*", **{HEADER: "ada@example.com"})
    forged = await person.post(
        "/settings/keys", {"do": "create", "name": "x"}, headers={HEADER: "ada@example.com"}
    )

    assert (event.status, without_key.status, not_a_browser.status) == (200, 401, 404)
    assert (forged.status, forged.headers.get("Location")) == (303, "../sign-in")
    assert not await Session.exists()
