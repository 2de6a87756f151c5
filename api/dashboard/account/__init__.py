"""The account: its address and preferences, all that is stored of it as a file, and its end."""

from datetime import datetime

from aiohttp import web

from api.dashboard.pages import HEADERS, render, see_other
from api.dashboard.visitors import Visitor, forget_session, form_token, read_form, signed_in
from api.errors import ApiError
from api.services import SERVICES
from models import Account
from pingpilot.accounts.exporting import export_account
from pingpilot.accounts.preferences import AccountChange, change_account
from pingpilot.accounts.quiet_hours import time_zones
from pingpilot.accounts.quota import quota_of
from pingpilot.channels import EMAIL
from pingpilot.delivery.confirming import ask_new_address
from pingpilot.errors import InvalidInput, PingPilotError

_LONGEST_FIELD = 254  # characters, as an address has at most
_exporting = set[int]()


@signed_in
async def get_account(request: web.Request, visitor: Visitor) -> web.Response:
    """Show the account with forms for what its owner may change."""
    return await _page(request, visitor, said="Saved." if "saved" in request.query else "")


@signed_in
async def post_account(request: web.Request, visitor: Visitor) -> web.Response:
    """Do what a form of the page asks for."""
    form = {field: text[:_LONGEST_FIELD] for field, text in (await read_form(request)).items()}
    services, account, do = request.app[SERVICES], visitor.account, form.get("do", "")
    now = services.clock.now()
    try:
        match do:
            case "address":
                sender, url = services.mail_sender, services.base_url
                wanted = form.get("email", "")
                address, woken = await ask_new_address(account, wanted, sender=sender, base_url=url, now=now)
                services.on_deliveries(woken)
                said = f"A link was sent to {address}: once it is opened there, the address changes."
                return await _page(request, visitor, said=said)
            case "preferences":
                zone = form.get("zone", "").strip()
                await change_account(account, AccountChange(time_zone=zone, combine="combine" in form), now)
            case "delete":
                if form.get("email", "").strip().lower() != account.email:
                    raise InvalidInput("That is not the account's address: nothing was deleted.")
                return await _delete(request, account)
    except (PingPilotError, ApiError) as exc:
        return await _page(request, visitor, problem=str(exc), sent=form)
    services.live.announce([account.id])
    return see_other(request, "settings/account?saved")


@signed_in
async def post_export(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Send all that is stored of the account as a file, piece by piece; one at a time to an account."""
    await read_form(request)
    account, today = visitor.account, request.app[SERVICES].clock.now()
    if account.id in _exporting:
        return await _page(request, visitor, problem="A download is under way: wait until it has ended.")
    name = f"pingpilot-{today:%Y-%m-%d}.json"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    response = web.StreamResponse(headers=headers)
    response.content_type, response.charset = "application/json", "utf-8"
    is_whole = False
    _exporting.add(account.id)
    try:
        await response.prepare(request)
        async for text in export_account(account):
            await response.write(text.encode())  # waits while the browser does not keep up
        await response.write_eof()
        is_whole = True
    except ConnectionError:
        pass  # the browser takes no more
    finally:
        _exporting.discard(account.id)
        if not is_whole and request.transport is not None:
            request.transport.abort()  # or the browser would take a part for the whole
    return response


async def _delete(request: web.Request, account: Account) -> web.Response:
    await request.app[SERVICES].deletions.ask_for(account)
    request.app[SERVICES].live.announce([account.id])  # its other pages end
    page = render(request, "account/deleted.html", visitor=None, email=account.email)
    forget_session(page, request)
    return page


async def _page(
    request: web.Request,
    visitor: Visitor,
    *,
    said: str = "",
    problem: str = "",
    sent: dict[str, str] | None = None,
) -> web.Response:
    services = request.app[SERVICES]
    account = await Account.get(id=visitor.account.id)  # as stored: a change that was refused is none
    quota = await quota_of(account, services.limits, services.clock.now())
    return render(
        request,
        "account/page.html",
        status=400 if problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="account",
        account=account,
        quota=quota,
        share=min(1.0, quota.used / quota.limit) if quota.limit else 1.0,
        contact=services.limits.contact,
        zones=_shown_zones(),
        local_time=_local_time,
        has_mail=not services.health.is_off(EMAIL.name) and EMAIL.name in services.senders,
        said=said,
        problem=problem,
        sent=sent or {},
        token=form_token(request),
    )


def _local_time(instant: datetime) -> str:
    return f"{instant:%H:%M}"


def _shown_zones() -> list[str]:
    """Return the time zones as people look for theirs: by region and place, without the old names."""
    places = [
        name for name in time_zones() if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/"))
    ]
    return ["UTC", *sorted(places)]
