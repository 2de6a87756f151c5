"""Signing in: a link that works once, with a button, and a session that ends."""

from datetime import timedelta

import pytest

from api.dashboard.sign_in import _under_way
from models import Account, Session, SignInLink
from pingpilot.accounts.linking import MOST_WRONG_GUESSES
from pingpilot.accounts.sessions import MOST_SESSIONS, begin_session, browser_name
from pingpilot.accounts.sign_in import MOST_BY_ADDRESS, MOST_LINKS, new_sign_in_link
from pingpilot.errors import TooMany
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.waiting import until

from .people import Person, a_person, text_of, token_in


async def test_a_link_signs_in_once_with_its_button(person: Person, ada: Account, clock: ManualClock) -> None:
    link = await new_sign_in_link(ada, "", clock.now())

    looked_at = [await person.get(link.url) for _ in range(2)]  # as a scanner of mail does
    signed_in = await person.post(link.url)
    again = await person.post(link.url)

    assert all(page.status == 200 and "ada@example.com" in page.text for page in looked_at)
    assert (signed_in.status, signed_in.headers["Location"]) == (303, "../")
    assert "Overview" in (await person.get("/")).text
    assert again.status == 404
    assert "not valid any more" in again.text


async def test_a_link_is_over_after_ten_minutes(person: Person, ada: Account, clock: ManualClock) -> None:
    link = await new_sign_in_link(ada, "", clock.now())
    clock.advance(timedelta(minutes=10))

    assert (await person.get(link.url)).status == 404
    assert (await person.post(link.url)).status == 404
    assert not await Session.exists()


async def test_a_link_from_a_clock_ahead_is_none(person: Person, ada: Account, clock: ManualClock) -> None:
    link = await new_sign_in_link(ada, "", clock.now() + timedelta(days=1))

    assert (await person.post(link.url)).status == 404


@ON_SQLITE
@pytest.mark.parametrize("token", ["x", "A" * 43, "..%2f..", "%00", "é" * 43])
async def test_what_is_no_link_is_told_so(person: Person, token: str) -> None:
    assert (await person.get(f"/sign-in/{token}")).status == 404
    assert (await person.post(f"/sign-in/{token}")).status == 404


async def test_neither_links_nor_sessions_are_stored_readably(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    link = await new_sign_in_link(ada, "", clock.now())
    await person.post(link.url)

    stored = [*await SignInLink.all().values(), *await Session.all().values()]
    assert link.url.removeprefix("/sign-in/") not in str(stored)
    assert person.cookies["pingpilot_session"] not in str(stored)


async def test_signing_in_ends_the_session_there_was(
    api: Api, person: Person, ada: Account, eve: Account
) -> None:
    await person.sign_in(eve)
    before = person.cookies["pingpilot_session"]

    await person.sign_in(ada)

    assert person.cookies["pingpilot_session"] != before
    assert [each.account_id for each in await Session.all()] == [ada.id]


@ON_SQLITE
async def test_a_session_somebody_else_chose_is_not_taken_over(
    api: Api, person: Person, ada: Account
) -> None:
    person.session.cookie_jar.update_cookies({"pingpilot_session": "A" * 43})

    await person.sign_in(ada)

    assert person.cookies["pingpilot_session"] != "A" * 43


@ON_SQLITE
@pytest.mark.parametrize(
    ("base_url", "path", "secure"),
    [("http://localhost:8080", "/", False), ("https://example.org/ping", "/ping", True)],
)
async def test_the_cookie_is_for_our_pages_alone(
    person: Person, ada: Account, base_url: str, path: str, secure: bool
) -> None:
    person.api.services.base_url = base_url
    link = await new_sign_in_link(ada, "", person.api.clock.now())

    answer = await person.post(link.url)

    cookie = answer.headers["Set-Cookie"]
    assert f"; Path={path};" in cookie
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert ("; Secure" in cookie) == secure
    assert ("Strict-Transport-Security" in (await person.get("/sign-in")).headers) == secure


@pytest.mark.parametrize(
    ("days", "often", "status"), [(13, 1, 200), (14, 1, 303), (10, 8, 200), (10, 9, 303)]
)
async def test_a_session_ends_without_use_and_in_any_case(
    person: Person, ada: Account, days: int, often: int, status: int
) -> None:
    await person.sign_in(ada)

    for _ in range(often):
        person.api.clock.advance_days(days)
        answer = await person.get("/events")

    assert answer.status == status


async def test_an_account_is_signed_in_with_so_many_browsers(
    api: Api, ada: Account, clock: ManualClock
) -> None:
    for _ in range(MOST_SESSIONS + 2):
        await begin_session(ada, browser="", address="", now=clock.now())
        clock.advance_seconds(1)

    assert await Session.filter(account_id=ada.id).count() == MOST_SESSIONS
    assert min([each.created_at for each in await Session.all()]) == clock.now() - timedelta(
        seconds=MOST_SESSIONS
    )


async def test_an_account_gets_so_many_links(api: Api, ada: Account, clock: ManualClock) -> None:
    for _ in range(MOST_LINKS):
        await new_sign_in_link(ada, "", clock.now())

    with pytest.raises(TooMany, match="10 sign-in links in the last 10 minutes"):
        await new_sign_in_link(ada, "", clock.now())

    clock.advance(timedelta(minutes=10))
    await new_sign_in_link(ada, "", clock.now())


async def test_the_sign_in_page_sends_a_link_and_answers_the_same_for_any_address(
    api: Api, person: Person, ada: Account
) -> None:
    known = await person.post("/sign-in", {"email": " Ada@Example.com "})
    unknown = await person.post("/sign-in", {"email": "nobody@example.com"})
    wrong = await person.post("/sign-in", {"email": "\x00<b>"})
    await until(lambda: bool(api.mailer.sent))

    assert known.status == unknown.status == wrong.status == 200
    assert text_of(known).replace("Ada@Example.com", "x") == text_of(unknown).replace(
        "nobody@example.com", "x"
    )
    [(address, mail)] = api.mailer.sent
    assert address == "ada@example.com"
    link = mail.partition("works once: ")[2].split()[0]
    assert (await person.post(link)).status == 303


@ON_SQLITE
async def test_a_caller_asks_for_so_many_links(api: Api, person: Person) -> None:
    for _ in range(MOST_WRONG_GUESSES):
        assert (await person.post("/sign-in", {"email": "x@example.com"})).status == 200

    refused = await person.post("/sign-in", {"email": "x@example.com"})

    assert refused.status == 429
    assert "Too many links" in refused.text


@ON_SQLITE
async def test_who_knows_an_address_uses_up_no_links_of_bots_and_command_line(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    for _ in range(MOST_LINKS):
        await person.post("/sign-in", {"email": "ada@example.com"})
    await until(lambda: not _under_way)

    await new_sign_in_link(ada, "", clock.now())

    assert len(api.mailer.sent) == MOST_BY_ADDRESS


@ON_SQLITE
async def test_without_a_mail_server_the_page_says_how_to_sign_in(api: Api, person: Person) -> None:
    api.services.senders = {}

    page = text_of(await person.get("/sign-in"))

    assert "pingpilot sign-in EMAIL" in page
    assert "Send me a link" not in page


async def test_one_browser_signs_another_out(api: Api, person: Person, ada: Account, eve: Account) -> None:
    async with a_person(api) as other, a_person(api) as stranger:
        for each, account in ((person, ada), (other, ada), (stranger, eve)):
            await each.sign_in(account)
        page = await person.get("/settings/sessions")
        foreign = await Session.get(account_id=eve.id)
        await person.post("/settings/sessions", {"session": str(foreign.id)})
        still_there = (await stranger.get("/")).status
        await person.post("/settings/sessions", {"session": "others"})

        assert text_of(page).count("Firefox on Linux") == 3  # the button names what it signs out, too
        assert "this browser" in page.text
        assert still_there == 200
        assert (await other.get("/events")).headers["Location"] == "./sign-in"
        assert (await person.get("/events")).status == 200


async def test_signing_out_ends_the_session(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    await person.post("/sign-out")

    assert not await Session.exists()
    assert (await person.get("/events")).headers["Location"] == "./sign-in"


@ON_SQLITE
async def test_without_the_browsers_word_a_form_needs_the_token_of_its_page(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    page = await person.get("/sign-in")
    signed_out = await person.post(
        "/sign-in", {"email": "x@example.com", "token": token_in(page)}, headers={}
    )
    forged = await person.post("/sign-in", {"email": "x@example.com", "token": "a.b"}, headers={})
    await person.sign_in(ada)
    page = await person.get("/settings/sessions")
    signed_in = await person.post("/sign-out", {"token": token_in(page)}, headers={})

    assert (signed_out.status, forged.status, signed_in.status) == (200, 400, 303)
    assert "load the page again" in forged.text


@ON_SQLITE
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 400),
        ({"Sec-Fetch-Site": "same-site"}, 400),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{own}"}, 400),
        ({"Origin": "https://evil.example"}, 400),
        ({"Origin": "null"}, 400),
        ({}, 400),
        ({"Origin": "{own}"}, 303),
        ({"Origin": "https://example.org"}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
    ],
)
async def test_a_form_of_a_strangers_page_does_nothing(
    api: Api, person: Person, ada: Account, headers: dict[str, str], status: int
) -> None:
    await person.sign_in(ada)
    api.services.base_url = "https://example.org/ping"
    sent = {name: value.format(own=api.url) for name, value in headers.items()}

    answer = await person.post("/sign-out", headers=sent)

    assert answer.status == status
    assert await Session.exists() == (status == 400)


_KIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_KIT} Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; like Mac OS X) Version/26.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("curl/8.17.0", "A browser"),
        ("", "A browser"),
    ],
)
def test_browsers_are_called_as_people_call_them(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
