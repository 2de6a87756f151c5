"""Destinations: linked, added, tried, made quiet, switched and removed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from api.dashboard.destinations.cards import cards_of, state_of_code
from api.dashboard.live import mark_of
from api.dashboard.pages import render, see_other
from api.dashboard.qr import qr_code
from api.dashboard.visitors import Visitor, chosen_id, form_token, read_form, signed_in
from api.errors import ApiError
from api.services import SERVICES, Services
from models import Account, Destination, DestinationKind
from pingpilot.accounts.destinations import (
    MOST_DESTINATIONS,
    NAME_PATTERN,
    DestinationChange,
    NewDestination,
    change_destination,
    find_destination,
    remove_destination,
    rotate_secret,
)
from pingpilot.accounts.linking import NewLinkCode, create_link_code, unlink
from pingpilot.accounts.quiet_hours import mute, parse_duration, parse_end_of_mute
from pingpilot.channels import CHANNELS, EMAIL, WEBHOOK, ChannelKind
from pingpilot.delivery.confirming import add_and_ask, ask_mailbox
from pingpilot.delivery.trying import obstacle_in_words, try_destination
from pingpilot.errors import InvalidInput, PingPilotError
from pingpilot.events.notices import post_notice

MUTES = (
    ("1h", "an hour"),
    ("4h", "4 hours"),
    ("8h", "8 hours"),
    ("1d", "a day"),
    ("7d", "a week"),
    ("30d", "30 days"),
)
_LONGEST_FIELD = 2000  # characters, of which an address may have as many
_ADDED = {"add-mailbox": EMAIL, "add-webhook": WEBHOOK}
_PATH = "settings/destinations"


@dataclass(frozen=True, slots=True)
class ShownOnce:
    """What an answer shows and no later one: a link code for a channel or a `room`, or a webhook's secret."""

    code: NewLinkCode | None = None
    code_for: str = ""
    secret: str = ""
    secret_of: str = ""
    former_until: datetime | None = None


NOTHING = ShownOnce()


@signed_in
async def get_destinations(request: web.Request, visitor: Visitor) -> web.Response:
    """List the destinations, each with forms for what can be done with it."""
    return await _page(request, visitor, code_id=chosen_id(request.query, "code"))


@signed_in
async def post_destinations(request: web.Request, visitor: Visitor) -> web.Response:
    """Do what a form of the page asks for; a link code and a secret are shown in the answer, this once."""
    form = {field: text[:_LONGEST_FIELD] for field, text in (await read_form(request)).items()}
    services, account, do = request.app[SERVICES], visitor.account, form.get("do", "")
    name = form.get("name", "").strip()
    once = NOTHING
    try:
        if do == "link-room":
            room = form.get("room", "").strip() or None
            once = ShownOnce(await create_link_code(account, services.clock.now(), room=room), "room")
        elif do == "link":
            once = ShownOnce(await _new_code(account, name, services), name)
        elif do in _ADDED:
            new = await _add(account, name, _ADDED[do], form.get("address", ""), services)
            once = ShownOnce(secret=new.secret or "", secret_of=name)
        elif do == "rotate":
            rotated = await rotate_secret(account, _checked(name), services.clock.now())
            once = ShownOnce(secret=rotated.secret, secret_of=name, former_until=rotated.former_until)
        else:
            await _change(account, await find_destination(account, _checked(name)), form, services)
    except (PingPilotError, ApiError) as exc:
        return await _page(request, visitor, problem=str(exc), sent=form)
    services.live.announce([account.id])
    if once.code or once.secret:
        return await _page(request, visitor, once=once, code_id=once.code.id if once.code else None)
    return see_other(request, _PATH if do == "remove" else f"{_PATH}#{name}")


async def _change(account: Account, row: Destination, form: Mapping[str, str], services: Services) -> None:
    """Do what is asked for of a destination that the account has. Raises what the rules raise."""
    name, now = row.name, services.clock.now()
    match form.get("do"):
        case "on":
            services.check_configured(row.channel)
            await change_destination(account, name, DestinationChange(enabled=True), now)
        case "off":
            await change_destination(account, name, DestinationChange(enabled=False), now)
        case "change":
            await change_destination(account, name, _asked_for(form), now)
        case "mute":
            end = now + parse_duration(form.get("for", ""))
            if until := form.get("until"):
                end = parse_end_of_mute(until, account.time_zone, now)
            await mute(account, name, end, now=now)
        case "unmute":
            await mute(account, name, None, now=now)
        case "unlink":
            if row.kind != DestinationKind.DIRECT:  # its channel's direct chat is meant nowhere else
                raise InvalidInput(f"Only a chat of your own can be unlinked: remove '{name}' instead.")
            if await unlink(account, row.channel, now):
                text = f"{CHANNELS[row.channel].label} was unlinked from {account.email}, on the dashboard."
                services.on_deliveries(await post_notice(account.id, text, now=now))
        case "remove":
            await remove_destination(account, name, now)
        case "test":
            await _try(account, row, services)
    services.on_deliveries({row.channel})  # what was held may go, or fails at once


async def _try(account: Account, row: Destination, services: Services) -> None:
    """Send a test notification and wait for it, or a mailbox its link once more."""
    services.check_configured(row.channel)
    if row.is_unconfirmed:
        sender, url = services.mail_sender, services.base_url
        await ask_mailbox(account, row, sender=sender, base_url=url, now=services.clock.now())
        return
    if reason := obstacle_in_words(row, linking="Link it first."):
        raise ApiError("destination_not_usable", name=row.name, reason=reason)
    await try_destination(
        row,
        settlements=services.settlements,
        on_deliveries=services.on_deliveries,
        now=services.clock.now(),
    )


def _asked_for(form: Mapping[str, str]) -> DestinationChange:
    """Return a whole form as a change: no hours at all are none."""
    start, end = form.get("from", "").strip(), form.get("to", "").strip()
    if bool(start) != bool(end):
        raise InvalidInput("Quiet hours have a beginning and an end: give both, or neither for none.")
    return DestinationChange(
        quiet_hours=f"{start}-{end}" if start else "off",
        silently="silently" in form,
        mention=form["mention"].strip() or "none" if "mention" in form else None,
    )


async def _new_code(account: Account, channel: str, services: Services) -> NewLinkCode:
    """Return a code that links a chat with one of the bots. Raises what the rules raise."""
    kind = CHANNELS.get(channel)
    if kind is None or not kind.needs_link:
        raise ApiError("not_found/channel", channels=", ".join(_bots()))
    services.check_configured(channel)
    return await create_link_code(account, services.clock.now())


async def _add(
    account: Account, name: str, kind: ChannelKind, address: str, services: Services
) -> NewDestination:
    services.check_configured(kind.name)
    return await add_and_ask(
        account,
        name,
        kind,
        services.check_address(kind, address),
        sender=services.mail_sender if kind is EMAIL else None,
        base_url=services.base_url,
        now=services.clock.now(),
    )


def _checked(name: str) -> str:
    """Return what may be a destination's name: others, of any length, are not to be repeated."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise ApiError("not_found/destination_name")
    return name


def _bots() -> list[str]:
    return [name for name, kind in CHANNELS.items() if kind.needs_link]


async def _page(
    request: web.Request,
    visitor: Visitor,
    *,
    once: ShownOnce = NOTHING,
    code_id: int | None = None,
    problem: str = "",
    sent: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the page. `sent` is the form that has a `problem`; a page with one stands still, as it is."""
    account, services = visitor.account, request.app[SERVICES]
    now = services.clock.now()
    mark = mark_of(request, account.id)  # before the rest is read: loaded once too often at worst
    cards = await cards_of(account, services, now)
    return render(
        request,
        "destinations/page.html",
        status=400 if problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="destinations",
        live=None if problem else mark,
        cards=cards,
        most=MOST_DESTINATIONS,
        bots=[CHANNELS[name] for name in _bots() if not services.health.is_off(name)],
        has_mail=not services.health.is_off(EMAIL.name) and EMAIL.name in services.senders,
        mutes=MUTES,
        problem=problem,
        sent=sent or {},
        once=once,
        qr=qr_code(once.code.telegram_url) if once.code and once.code.telegram_url else None,
        code_id=code_id,
        code_state=await state_of_code(account, code_id, now) if code_id else None,
        token=form_token(request),
    )
