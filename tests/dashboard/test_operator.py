"""The operator's pages: for operators alone, on each request, and without a word of anybody's events."""

from datetime import timedelta

import pytest

from models import Account, Delivery, Plan, SignUpLink
from pingpilot.accounts.accounts import set_operator
from pingpilot.accounts.sign_up import Newcomers, SignUp
from pingpilot.telemetry.findings import Examination, Finding, Level
from pingpilot.telemetry.health import State
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.composition import running
from tests.support.waiting import comes_true

from .people import Person, a_person, text_of

SERVER, ACCOUNTS = "/operator", "/operator/accounts"
FORMS = (
    {"do": "plan", "plan": "enterprise"},
    {"do": "suspend"},
    {"do": "resume"},
    {"do": "invite", "email": "grace@example.com", "plan": "pro"},
    {"do": "revoke", "email": "grace@example.com"},
)
SECRETS = ("Lamp for Hopper", "Bought in Paris", "password", "hunter2", "shop.example/4711")


class Doctor:
    """Finds the same each time."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.latest: Examination | None = None
        self.visits = 0

    async def examine(self) -> Examination:
        self.visits += 1
        advice = "Set `PINGPILOT_SMTP_HOST` <b>."
        found = (Finding("email", Level.PROBLEM, "It is <i>away</i>.", advice),)
        self.latest = Examination(self._clock.now(), found)
        return self.latest


@pytest.fixture
async def operator(api: Api, ada: Account, eve: Account) -> Account:
    """Ada, whose account was the first."""
    assert ada.is_operator
    return ada


async def test_there_is_nothing_for_anybody_else_whatever_they_send(
    api: Api, person: Person, operator: Account, eve: Account
) -> None:
    signed_out = [await person.get(path) for path in (SERVER, ACCOUNTS)]
    await person.sign_in(eve)
    api.services.newcomers = Newcomers(SignUp.INVITE)
    looked = [await person.get(path) for path in (SERVER, ACCOUNTS)]
    posted = [await person.post(ACCOUNTS, {**form, "account": str(eve.id)}) for form in FORMS]
    posted.append(await person.post(SERVER, {"do": "examine"}))

    assert [each.status for each in signed_out] == [303, 303]
    assert {each.status for each in (*looked, *posted)} == {404}
    assert "Operator" not in (await person.get("/events")).text
    assert not await SignUpLink.exists()
    assert (await Account.get(id=eve.id)).plan == "free"


async def test_rights_that_are_taken_back_end_with_the_next_request(
    person: Person, operator: Account, eve: Account
) -> None:
    await person.sign_in(operator)
    assert "Operator" in (await person.get("/events")).text
    assert await set_operator(eve, is_operator=True)
    await set_operator(operator, is_operator=False)

    answers = [await person.get(ACCOUNTS), await person.post(ACCOUNTS, {**FORMS[1], "account": str(eve.id)})]

    assert [each.status for each in answers] == [404, 404]
    assert (await Account.get(id=eve.id)).suspended_at is None


async def test_a_form_of_a_strangers_page_does_nothing(
    person: Person, operator: Account, eve: Account
) -> None:
    await person.sign_in(operator)

    forged = [
        await person.post(
            ACCOUNTS, {**form, "account": str(eve.id)}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        for form in FORMS
    ]

    assert {each.status for each in forged} == {400}
    assert (await Account.get(id=eve.id)).plan == "free"


async def test_an_account_gets_another_plan_is_suspended_and_resumed(
    api: Api, person: Person, operator: Account
) -> None:
    program = await api.sign_up("shop@example.com", channels=["email"])
    account = {"account": str(program.account.id)}
    await program.post({"category": "sale"})
    await person.sign_in(operator)

    await person.post(ACCOUNTS, {"do": "plan", "plan": "pro", "limit": "2,500", **account})
    page = text_of(await person.get(f"{ACCOUNTS}?q=Shop"))
    await person.post(ACCOUNTS, {"do": "suspend", **account})
    refused = await program.post({"category": "sale"})
    suspended = text_of(await person.get(f"{ACCOUNTS}?q=shop"))
    resumed = await person.post(f"{ACCOUNTS}?q=shop", {"do": "resume", **account})

    assert "shop@example.com Pro · 1 of 2,500 events this month · last event just now · made just now" in page
    assert "1 destination in use · 2 off or not linked" in page
    assert "ada@example.com Free" not in page
    assert refused.verdict == (403, "account_suspended")
    assert "shop@example.com suspended" in suspended
    assert resumed.headers["Location"] == "../operator/accounts?q=shop"
    assert (await program.post({"category": "sale"})).status == 200


@ON_SQLITE
@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"do": "plan", "plan": "gold", "account": "{eve}"}, "A plan is one of free, pro, enterprise."),
        (
            {"do": "plan", "plan": "pro", "limit": "-1", "account": "{eve}"},
            "A monthly limit is a whole number",
        ),
        (
            {"do": "plan", "plan": "pro", "limit": "9" * 16, "account": "{eve}"},
            "A monthly limit is a whole number",
        ),
        (
            {"do": "plan", "plan": "pro", "limit": "²", "account": "{eve}"},
            "A monthly limit is a whole number",
        ),
        ({"do": "suspend", "account": "999"}, "This account is not there any more."),
        ({"do": "resume", "account": "x"}, "This account is not there any more."),
        ({"do": "suspend", "account": "{ada}"}, "This is your own account: another operator can suspend it."),
        ({"do": "invite", "email": "<b>", "plan": "pro"}, "'<b>' is not an e-mail address"),
        (
            {"do": "invite", "email": "eve@example.com", "plan": "pro"},
            "There is an account for eve@example.com",
        ),
        ({"do": "invite", "email": "g@example.com", "plan": ""}, "A plan is one of free, pro, enterprise."),
    ],
)
async def test_what_can_not_be_done_is_said(  # noqa: PLR0917
    api: Api, person: Person, operator: Account, eve: Account, form: dict[str, str], says: str
) -> None:
    api.services.newcomers = Newcomers(SignUp.INVITE)
    await person.sign_in(operator)

    sent = {name: value.format(eve=eve.id, ada=operator.id) for name, value in form.items()}
    answer = await person.post(ACCOUNTS, sent)

    assert answer.status == 400
    assert says in text_of(answer)
    assert not await SignUpLink.exists()


async def test_an_invitation_goes_out_and_is_revoked(api: Api, person: Person, operator: Account) -> None:
    await person.sign_in(operator)
    off = await person.get(ACCOUNTS)
    refused = await person.post(ACCOUNTS, {"do": "invite", "email": "grace@example.com", "plan": "pro"})
    api.services.newcomers = Newcomers(SignUp.INVITE)

    sent = await person.post(ACCOUNTS, {"do": "invite", "email": "Grace@example.com", "plan": "pro"})
    api.mailer.refusal = "No such mailbox."
    not_sent = await person.post(ACCOUNTS, {"do": "invite", "email": "heidi@example.com", "plan": "free"})
    listed = text_of(await person.get(ACCOUNTS))
    await person.post(ACCOUNTS, {"do": "revoke", "email": "grace@example.com"})

    assert "Invitations are switched off" in text_of(off)
    assert "Invitations are switched off: set PINGPILOT_SIGN_UP=invite." in text_of(refused)
    [(address, mail)] = api.mailer.sent
    assert address == "grace@example.com"
    link = mail.partition("works once: ")[2].split()[0]
    assert "A link is on its way there." in text_of(sent)
    assert link not in sent.text
    assert "No such mailbox. Pass it on yourself" in text_of(not_sent)
    assert "grace@example.com Pro · until " in listed
    async with a_person(api) as grace:
        assert (await grace.post(link)).status == 404
        passed_on = "/sign-up/" + not_sent.text.partition("/sign-up/")[2].partition("<")[0]
        assert (await grace.post(passed_on)).status == 303


async def test_accounts_come_in_pages_and_a_filter_may_be_anything(
    api: Api, person: Person, operator: Account
) -> None:
    now = api.clock.now()
    await Account.bulk_create(
        Account(email=f"user{number:03}@example.com", plan=Plan.FREE, time_zone="UTC", created_at=now)
        for number in range(60)
    )
    await person.sign_in(operator)

    first = await person.get(f"{ACCOUNTS}?q=user")
    second = await person.get(f"{ACCOUNTS}?q=user&after=user024@example.com")
    last = await person.get(f"{ACCOUNTS}?q=user&after=user049@example.com")
    odd = [
        await person.get(f"{ACCOUNTS}?q={text}&after={text}")
        for text in ("%00", "%25", "_", "%27%3B--", "%3Cscript%3E", "%ED%A0%80", "x" * 3000, "%F0%9F%91%8D")
    ]

    assert [page.text.count("@example.com</strong>") for page in (first, second, last)] == [25, 25, 10]
    assert "after=user024%40example.com" in first.text
    assert "Next page" not in last.text
    assert {page.status for page in odd} == {200}
    assert not any("<script>" in page.text for page in odd)


async def test_the_server_page_tells_what_waits_and_fails_and_nothing_of_events(
    api: Api, person: Person, operator: Account
) -> None:
    shop = await api.sign_up("shop@example.com", channels=["email"])
    event = {
        "category": "sale",
        "title": SECRETS[0],
        "description": SECRETS[1],
        "fields": {SECRETS[2]: SECRETS[3]},
        "url": f"https://{SECRETS[4]}",
    }
    await shop.post(event)
    api.mailer.refusal = f"550 no Lamp for Hopper at https://{SECRETS[4]}, password hunter2 Bought in Paris"
    async with running(api.composition.dispatcher(api.mailer)):
        await comes_true(Delivery.filter(status="failed").exists, "the delivery to fail")
    await shop.post(event)
    api.services.health.report("email", State.UP)
    api.services.health.report("telegram", State.RETRYING, "It <b>hangs</b>.")
    api.services.health.report("discord", State.PAUSED, "The token is refused.")
    api.clock.advance(timedelta(minutes=5))
    await person.sign_in(operator)

    server, accounts = await person.get(SERVER), await person.get(ACCOUNTS)

    told = text_of(server)
    assert "E-mail working 1 waiting, the oldest came 5 minutes ago · 3 destinations in use" in told
    assert "Telegram away, and tried again It <b>hangs</b>. Nothing waits" in told
    assert "Discord needs you The token is refused." in told
    assert "Webhook not set up" in told
    assert "1 given up" in told
    assert "3 none suspended" in told
    assert "<b>hangs" not in server.text
    for page in (server.text, accounts.text):
        assert not [secret for secret in (*SECRETS, "Hopper", "Paris", "4711") if secret in page]


@ON_SQLITE
@pytest.mark.parametrize("bot", ["telegram", "telegram:7000000042"])
async def test_a_platform_that_counts_as_away_for_one_of_its_bots_is_told(
    api: Api, person: Person, operator: Account, bot: str
) -> None:
    for name in ("telegram", "discord"):
        api.services.health.report(name, State.UP)
    api.services.metrics.circuit_open.labels(bot).set(1)
    await person.sign_in(operator)

    told = text_of(await person.get(SERVER))

    assert "Telegram away, and probed now and then" in told
    assert "Discord working" in told


@ON_SQLITE
async def test_the_doctor_looks_when_asked_and_its_findings_stay(
    api: Api, person: Person, operator: Account
) -> None:
    api.services.examiner = doctor = Doctor(api.clock)
    await person.sign_in(operator)

    before = await person.get(SERVER)
    asked = await person.post(SERVER, {"do": "examine"})
    after = await person.get(SERVER)

    assert "looks at settings, database, daemons, disk" in text_of(before)
    assert (asked.status, asked.headers["Location"]) == (303, "./operator#doctor")
    assert "email It is <i>away</i>. needs you Set PINGPILOT_SMTP_HOST <b>." in text_of(after)
    assert "<code>PINGPILOT_SMTP_HOST</code>" in after.text
    assert doctor.visits == 1
