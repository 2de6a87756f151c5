"""New accounts over the web: by invitation or for anyone, with a link that works once."""

import asyncio
from datetime import timedelta

import pytest

from models import Account, ApiKey, Destination, Plan, Session, SignUpLink
from pingpilot.accounts.accounts import create_account, suspend_account
from pingpilot.accounts.linking import MOST_WRONG_GUESSES
from pingpilot.accounts.sign_up import (
    MOST_AN_HOUR,
    MOST_FOR_AN_ADDRESS,
    Newcomers,
    SignUp,
    invite,
    new_sign_up_link,
    revoke_invitation,
)
from pingpilot.errors import AlreadyExists, InvalidInput, TooMany
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.waiting import until

from .people import Person, a_person, text_of

INVITE = Newcomers(SignUp.INVITE, Plan.FREE, ("email",))
OPEN = Newcomers(SignUp.OPEN, Plan.PRO, ("email",))
GRACE = "grace@example.com"


async def invited(api: Api, email: str = GRACE, plan: Plan | None = None) -> str:
    api.services.newcomers = INVITE
    return (await invite(email, plan, INVITE, "", api.clock.now())).url


async def test_an_invitation_makes_an_account_once_with_its_button(
    api: Api, person: Person, ada: Account
) -> None:
    link = await invited(api, " Grace@Example.com ", Plan.PRO)

    looked_at = [await person.get(link) for _ in range(2)]  # as a scanner of mail does
    made = await person.post(link)
    again = await person.post(link)

    assert all("An account for grace@example.com" in text_of(page) for page in looked_at)
    assert "Pro plan: 1,000 events a month" in text_of(looked_at[0])
    assert (made.status, made.headers["Location"]) == (303, "../")
    assert "grace@example.com · Pro" in text_of(await person.get("/events"))
    assert again.status == 404
    grace = await Account.get(email=GRACE)
    assert (grace.plan, grace.is_operator) == ("pro", False)
    assert not await ApiKey.filter(account_id=grace.id).exists()  # nobody would be there to read it
    assert [each.name for each in await Destination.filter(account_id=grace.id, enabled=True)] == ["email"]
    assert not await SignUpLink.exists()


async def test_an_invitation_ends_and_is_taken_back(api: Api, person: Person, clock: ManualClock) -> None:
    first, second = await invited(api), await invited(api)
    stored = str(await SignUpLink.all().values())
    replaced = await person.get(first)
    good = await person.get(second)
    assert await revoke_invitation("GRACE@example.com ")
    taken_back = await person.post(second)
    third = await invited(api)
    clock.advance(timedelta(days=7))
    over = await person.post(third)

    assert second.rpartition("/")[2] not in stored
    assert [each.status for each in (replaced, good, taken_back, over)] == [404, 200, 404, 404]
    assert not await Account.exists()


async def test_of_invitations_at_once_one_is_good_and_none_is_over_the_limit(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by two operators, at two daemons."""
    monkeypatch.setattr("pingpilot.accounts.sign_up.MOST_INVITATIONS", 2)

    await asyncio.gather(*(invited(api) for _ in range(5)))
    others = await asyncio.gather(
        *(invited(api, f"grace-{number}@example.com") for number in range(5)), return_exceptions=True
    )

    assert await SignUpLink.filter(email=GRACE).count() == 1
    assert [type(each) for each in others].count(TooMany) == 4
    assert await SignUpLink.all().count() == 2


@ON_SQLITE
async def test_who_may_be_invited(api: Api, person: Person, ada: Account) -> None:
    link, now = await invited(api), api.clock.now()

    with pytest.raises(InvalidInput, match="PINGPILOT_SIGN_UP=invite"):
        await invite(GRACE, None, Newcomers(), "", now)
    with pytest.raises(AlreadyExists, match="There is an account for ada"):
        await invite("Ada@example.com", None, INVITE, "", now)
    with pytest.raises(InvalidInput, match="is not an e-mail address"):
        await invite("<b>", None, INVITE, "", now)
    api.services.newcomers = Newcomers()
    assert (await person.post(link)).status == 404  # switched off meanwhile


@ON_SQLITE
@pytest.mark.parametrize("token", ["x", "A" * 43, "..%2f..", "%00", "é" * 43])
async def test_what_is_no_link_is_told_so(api: Api, person: Person, token: str) -> None:
    api.services.newcomers = OPEN

    assert (await person.get(f"/sign-up/{token}")).status == 404
    assert (await person.post(f"/sign-up/{token}")).status == 404


async def test_of_several_buttons_pressed_at_once_one_makes_the_account(api: Api, ada: Account) -> None:
    api.services.newcomers, now = OPEN, api.clock.now()
    same = (await new_sign_up_link(GRACE, "", now)).url
    other = (await new_sign_up_link(GRACE, "", now)).url

    async def press(link: str) -> int:
        async with a_person(api) as somebody:
            return (await somebody.post(link)).status

    pressed = await asyncio.gather(*(press(link) for link in (same, same, same, other)))

    # Each link works once, and the one that came second signs in
    assert sorted(pressed) == [303, 303, 404, 404]
    assert await Account.filter(email=GRACE).count() == 1
    assert await Session.all().count() == 2


async def test_an_invitation_is_no_way_into_an_account_that_was_made_meanwhile(
    api: Api, person: Person, ada: Account
) -> None:
    link = await invited(api)
    await create_account(GRACE, plan=Plan.FREE, monthly_events=None, channels=[], now=api.clock.now())

    assert (await person.post(link)).status == 404
    assert not await Session.exists()


async def test_open_sign_up_sends_a_link_that_makes_an_account_and_answers_the_same(
    api: Api, person: Person, ada: Account
) -> None:
    api.services.newcomers = OPEN

    page = await person.get("/sign-in")
    known = await person.post("/sign-in", {"email": "Ada@example.com"})
    unknown = await person.post("/sign-in", {"email": "grace@example.com"})
    wrong = await person.post("/sign-in", {"email": "\x00<b>"})
    await until(lambda: len(api.mailer.sent) == 2)
    mails = dict(api.mailer.sent)
    link = mails[GRACE].partition("works once: ")[2].split()[0]
    made = await person.post(link)

    assert "No account yet? The link makes you one." in text_of(page)
    assert known.status == unknown.status == wrong.status == 200
    assert text_of(known).replace("Ada@example.com", "x") == text_of(unknown).replace(GRACE, "x")
    assert "to sign in to PingPilot" in mails["ada@example.com"]
    assert "to make a PingPilot account for grace@example.com" in mails[GRACE]
    assert made.status == 303
    assert (await Account.get(email=GRACE)).plan == "pro"


@pytest.mark.parametrize("newcomers", [Newcomers(), INVITE], ids=["off", "invite"])
@ON_SQLITE
async def test_without_leave_an_unknown_address_gets_nothing_and_the_same_answer(
    api: Api, person: Person, ada: Account, newcomers: Newcomers
) -> None:
    api.services.newcomers = newcomers

    unknown = await person.post("/sign-in", {"email": GRACE})
    known = await person.post("/sign-in", {"email": "ada@example.com"})
    await until(lambda: bool(api.mailer.sent))

    assert text_of(known).replace("ada@example.com", "x") == text_of(unknown).replace(GRACE, "x")
    assert [address for address, _ in api.mailer.sent] == ["ada@example.com"]
    assert not await SignUpLink.exists()


async def test_so_many_links_go_to_an_address_and_to_all(api: Api, clock: ManualClock) -> None:
    for number in range(MOST_AN_HOUR):
        await new_sign_up_link(f"{number // MOST_FOR_AN_ADDRESS}@example.com", "", clock.now())

    with pytest.raises(TooMany):
        await new_sign_up_link("0@example.com", "", clock.now())
    with pytest.raises(TooMany):
        await new_sign_up_link(GRACE, "", clock.now())
    clock.advance(timedelta(hours=1))
    await new_sign_up_link(GRACE, "", clock.now())


@ON_SQLITE
async def test_a_caller_asks_for_so_many_links(api: Api, person: Person) -> None:
    api.services.newcomers = OPEN
    for number in range(MOST_WRONG_GUESSES):
        assert (await person.post("/sign-in", {"email": f"{number}@example.com"})).status == 200

    assert (await person.post("/sign-in", {"email": GRACE})).status == 429


@ON_SQLITE
async def test_a_suspended_accounts_pages_say_so_and_work_again_afterwards(
    api: Api, person: Person, ada: Account
) -> None:
    await person.sign_in(ada)
    await suspend_account(ada, api.clock.now())

    pages = [await person.get(path) for path in ("/", "/events", "/settings/keys")]
    posted = await person.post("/settings/keys", {"do": "create", "name": "x", "scope": "manage"})
    live = await person.get("/live")
    await Account.all().update(suspended_at=None)

    for page in (*pages, posted):
        assert page.status == 403
        assert "This account is suspended: ask whoever runs this server." in text_of(page)
    assert live.status == 204
    assert await ApiKey.all().count() == 1
    assert (await person.get("/events")).status == 200
