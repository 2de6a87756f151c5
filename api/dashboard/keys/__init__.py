"""API keys: made and rotated here, shown once, revoked."""

from aiohttp import web

from api.dashboard.pages import render, see_other
from api.dashboard.visitors import Visitor, chosen_id, form_token, read_form, signed_in
from api.services import SERVICES
from models import ApiKey, Category, KeyScope
from pingpilot.accounts.keys import (
    EVERYTHING,
    MOST_KEYS,
    KeyRights,
    LastManageKey,
    create_key,
    parse_overlap,
    revoke_spare_key,
    rotate_key,
)
from pingpilot.errors import PingPilotError

_OVERLAPS = (("24h", "for a day more"), ("7d", "for a week more"), ("0", "no longer"))


@signed_in
async def get_keys(request: web.Request, visitor: Visitor) -> web.Response:
    """List the keys in force, with forms that make, rotate and revoke them."""
    return await _page(request, visitor)


@signed_in
async def post_keys(request: web.Request, visitor: Visitor) -> web.Response:
    """Do what a form of the page asks for; a new key is shown in the answer, this once."""
    form, account = await read_form(request), visitor.account
    now, key_id = request.app[SERVICES].clock.now(), chosen_id(form, "key") or 0
    try:
        match form.get("do"):
            case "create":
                only = form.get("category")
                rights = EVERYTHING
                if form.get("scope") == KeyScope.SEND:
                    rights = KeyRights(KeyScope.SEND, [only] if only else None)
                row, key = await create_key(account, form.get("name", ""), now, rights)
                return await _page(request, visitor, row=row, key=key)
            case "rotate":
                rotation = await rotate_key(account, key_id, parse_overlap(form.get("overlap", "")), now)
                return await _page(request, visitor, row=rotation.row, key=rotation.key, old=rotation.old)
            case "revoke":
                await revoke_spare_key(account, key_id, now)
    except LastManageKey as exc:
        problem = f"{exc} Make another one first: without one, programs could change nothing any more."
        return await _page(request, visitor, problem=problem)
    except PingPilotError as exc:
        return await _page(request, visitor, problem=str(exc))
    return see_other(request, "settings/keys")


async def _page(
    request: web.Request,
    visitor: Visitor,
    *,
    row: ApiKey | None = None,
    key: str = "",
    old: ApiKey | None = None,
    problem: str = "",
) -> web.Response:
    account, services = visitor.account, request.app[SERVICES]
    keys = await ApiKey.in_force(services.clock.now()).filter(account_id=account.id)
    categories = await Category.filter(account_id=account.id).order_by("name")
    return render(
        request,
        "keys/page.html",
        status=400 if problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="keys",
        keys=keys,
        most=MOST_KEYS,
        categories=[each.name for each in categories],
        overlaps=_OVERLAPS,
        row=row,
        key=key,
        old=old,
        problem=problem,
        api=services.base_url,
        token=form_token(request),
    )
