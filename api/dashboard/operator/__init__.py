"""The operator's pages: how the server is, and its accounts. Nothing of what an event says is on them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from api.dashboard.mail import has_mail, mail
from api.dashboard.pages import render, see_other
from api.dashboard.visitors import Page, Visitor, chosen_id, form_token, read_form, signed_in
from api.errors import ApiError
from api.services import SERVICES, Services
from models import Account, Plan, SignUpLink
from pingpilot import __version__
from pingpilot.accounts.accounts import resume_account, set_plan, suspend_account
from pingpilot.accounts.overseeing import count_accounts, list_accounts
from pingpilot.accounts.sign_up import (
    NewSignUpLink,
    SignUp,
    invitation_words,
    invitations,
    invite,
    revoke_invitation,
)
from pingpilot.channels import CHANNELS
from pingpilot.cluster.roster import place_of
from pingpilot.delivery.backlog import Queue
from pingpilot.delivery.failure_counts import recent_failures
from pingpilot.errors import InvalidInput, PingPilotError
from pingpilot.telemetry.findings import Level
from pingpilot.telemetry.health import State

A_PAGE = 25
_MOST_REASONS = 20
_LONGEST_FILTER = 254
_TONES = {State.OFF: "off", State.UP: "good", State.STANDBY: "good", State.PAUSED: "bad"}
_WORDS = {
    State.OFF: "not set up",
    State.CONNECTING: "connecting",
    State.UP: "working",
    State.STANDBY: "standing by",
    State.RETRYING: "away, and tried again",
    State.PAUSED: "needs you",
}
_LEVELS = {
    Level.OK: ("good", "well"),
    Level.OFF: ("off", "off"),
    Level.WARNING: ("waiting", "look at it"),
    Level.PROBLEM: ("bad", "needs you"),
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel is and what waits for it; `queue` is None while the database is away."""

    label: str
    tone: str
    words: str
    reason: str
    queue: Queue | None
    usable: int
    suspended: int


def for_operators(page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make a page one for operators; for everybody else who is signed in there is nothing at its address."""

    async def checked(request: web.Request, visitor: Visitor) -> web.StreamResponse:
        if not visitor.account.is_operator:
            raise ApiError("not_found")
        return await page(request, visitor)

    return signed_in(checked)


@for_operators
async def get_server(request: web.Request, visitor: Visitor) -> web.Response:
    """Show how the server is: its channels, its daemons, what waits and fails, what the doctor found last."""
    services = request.app[SERVICES]
    now = services.clock.now()
    total, suspended = await count_accounts()
    return render(
        request,
        "operator/server.html",
        zone=visitor.account.time_zone,
        visitor=visitor,
        here="operator",
        version=__version__,
        started_at=services.started_at,
        accounts=total,
        suspended=suspended,
        channels=await _channels(services),
        roster=await services.membership.roster(),
        own_identity=services.membership.identity,
        failures=await recent_failures(now, _MOST_REASONS),
        labels={name: kind.label for name, kind in CHANNELS.items()},
        place_of=place_of,
        can_examine=services.examiner is not None,
        examination=services.examiner.latest if services.examiner else None,
        levels=_LEVELS,
        token=form_token(request),
    )


@for_operators
async def post_server(request: web.Request, _visitor: Visitor) -> web.Response:
    """Have the doctor look, and show what it found."""
    form, services = await read_form(request), request.app[SERVICES]
    if form.get("do") == "examine" and services.examiner:
        await services.examiner.examine()
    return see_other(request, "operator#doctor")


@for_operators
async def get_accounts(request: web.Request, visitor: Visitor) -> web.Response:
    """List the accounts, a page at a time, with forms that change them, and the open invitations."""
    return await _accounts(request, visitor)


@for_operators
async def post_accounts(request: web.Request, visitor: Visitor) -> web.Response:
    """Do what a form of the page asks for."""
    form, services = await read_form(request), request.app[SERVICES]
    try:
        match form.get("do"):
            case "invite":
                return await _invite(request, visitor, form.get("email", ""), form.get("plan", ""))
            case "revoke":
                await revoke_invitation(form.get("email", ""))
            case "plan" | "suspend" | "resume" as do:
                await _change(do, form, visitor, services)
    except PingPilotError as exc:
        return await _accounts(request, visitor, problem=str(exc))
    return see_other(request, f"operator/accounts?{request.rel_url.raw_query_string}".rstrip("?"))


async def _change(do: str, form: dict[str, str], visitor: Visitor, services: Services) -> None:
    account, now = await Account.get_or_none(id=chosen_id(form, "account") or 0), services.clock.now()
    if account is None:
        raise InvalidInput("This account is not there any more.")
    if do == "plan":
        limit = form.get("limit", "").strip().replace(",", "")
        if limit and not (limit.isascii() and limit.isdigit()):
            raise InvalidInput("A monthly limit is a whole number from 0 up, or nothing for the plan's own.")
        await set_plan(account, _plan(form.get("plan", "")), int(limit) if limit else None)
    elif do == "resume":
        await resume_account(account, now)
        services.on_deliveries(set(CHANNELS))
    elif account.id == visitor.account.id:
        raise InvalidInput("This is your own account: another operator can suspend it.")
    else:
        await suspend_account(account, now)
    log.info("An operator changed an account", account_id=account.id, by=visitor.account.id, change=do)


async def _invite(request: web.Request, visitor: Visitor, email: str, plan: str) -> web.Response:
    """Invite an address; the link is shown where no mail takes it there."""
    services = request.app[SERVICES]
    now, base_url = services.clock.now(), services.base_url
    link = await invite(email, _plan(plan), services.newcomers, base_url, now)
    log.info("An operator invited somebody", by=visitor.account.id)
    not_sent = await mail(services, link.email, invitation_words(link, base_url))
    return await _accounts(request, visitor, link=link, not_sent=not_sent)


async def _accounts(
    request: web.Request,
    visitor: Visitor,
    *,
    link: NewSignUpLink | None = None,
    not_sent: str | None = None,
    problem: str = "",
) -> web.Response:
    services = request.app[SERVICES]
    now, text = services.clock.now(), request.query.get("q", "").strip()[:_LONGEST_FILTER]
    after = request.query.get("after", "")[:_LONGEST_FILTER]
    page = await list_accounts(
        services.limits, now, containing=_storable(text), after=_storable(after), most=A_PAGE
    )
    open_links: list[SignUpLink] = await invitations(now)
    return render(
        request,
        "operator/accounts.html",
        status=400 if problem else 200,
        zone=visitor.account.time_zone,
        visitor=visitor,
        here="accounts",
        page=page,
        text=text,
        after=after,
        plans=[each.value for each in Plan],
        default_plan=services.newcomers.plan.value,
        may_invite=services.newcomers.sign_up is not SignUp.OFF,
        has_mail=has_mail(services),
        invitations=open_links[:A_PAGE],
        hidden_invitations=max(0, len(open_links) - A_PAGE),
        link=link,
        not_sent=not_sent,
        problem=problem,
        token=form_token(request),
    )


async def _channels(services: Services) -> list[ChannelState]:
    stored, now = await services.backlog.look(), services.clock.now()
    destinations = stored.destinations if stored else {}
    # The dispatcher of each bot knows it, and tells the metrics alone; several have the bot's name there
    [circuits] = services.metrics.circuit_open.collect()
    away = {each.labels["channel"].partition(":")[0] for each in circuits.samples if each.value}
    shown = []
    for name, kind in CHANNELS.items():
        part = services.health.parts.get(name)
        state = part.state if part else State.OFF
        tone, words = _TONES.get(state, "waiting"), _WORDS[state]
        if state is State.UP and name in away:
            tone, words = "waiting", "away, and probed now and then"
        counts = {
            wanted: sum(
                count
                for (channel, _, state), count in destinations.items()
                if (channel, state) == (name, wanted)
            )
            for wanted in ("usable", "suspended")
        }
        shown.append(
            ChannelState(
                label=kind.label,
                tone=tone,
                words=words,
                reason=(part and part.reason) or "",
                queue=stored.queue_of(name, now) if stored else None,
                **counts,
            )
        )
    return shown


def _plan(text: str) -> Plan:
    try:
        return Plan(text)
    except ValueError:
        raise InvalidInput(f"A plan is one of {', '.join(Plan)}.") from None


def _storable(text: str) -> str:
    """Return a text that a database can be asked for: PostgreSQL takes no NUL, and no half of a character."""
    return text.replace("\x00", "").encode(errors="ignore").decode()
