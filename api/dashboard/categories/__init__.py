"""Categories: made, given looks and a route, and deleted once it is said what goes with them."""

from collections.abc import Mapping

from aiohttp import web

from api.dashboard.pages import render, see_other
from api.dashboard.visitors import Visitor, form_token, read_form, signed_in
from api.services import SERVICES
from models import Account, ApiKey
from pingpilot.accounts.categories import (
    CategoryChanges,
    change_category,
    create_category,
    remove_category,
    report_categories,
)
from pingpilot.accounts.destinations import destinations_of
from pingpilot.errors import PingPilotError

_TO = "to:"
"""A field of this beginning names a destination that is ticked."""


@signed_in
async def get_categories(request: web.Request, visitor: Visitor) -> web.Response:
    """List the categories, each with a form that changes it."""
    return await _page(request, visitor)


@signed_in
async def post_categories(request: web.Request, visitor: Visitor) -> web.Response:
    """Do what a form of the page asks for."""
    form, account = await read_form(request), visitor.account
    name = form.get("name", "").strip()
    try:
        match form.get("do"):
            case "create":
                await create_category(account, name, _changes(form), request.app[SERVICES].clock.now())
            case "change":
                await change_category(account, name, _changes(form))
            case "delete":
                await remove_category(account, name)
    except PingPilotError as exc:
        return await _page(
            request, visitor, problem=str(exc), wanted_name=name if form["do"] == "create" else ""
        )
    return see_other(request, "settings/categories")


def _changes(form: Mapping[str, str]) -> CategoryChanges:
    """Return a whole form as changes: a box that is not ticked is not sent."""
    chosen = [field.removeprefix(_TO) for field in form if field.startswith(_TO)]
    return {
        "color": form.get("color", ""),
        "emoji": form.get("emoji", "").strip() or None,
        "urgent": "urgent" in form,
        "channels": chosen if form.get("route") == "some" else None,
        "fallback": form.get("fallback") or None,
    }


async def _page(
    request: web.Request,
    visitor: Visitor,
    *,
    problem: str = "",
    wanted_name: str = "",
) -> web.Response:
    account, now = visitor.account, request.app[SERVICES].clock.now()
    return render(
        request,
        "categories/page.html",
        status=400 if problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="categories",
        categories=await report_categories(account, now),
        destinations=[each.name for each in await destinations_of(account)],
        keys=await _keys_of(account, request),
        problem=problem,
        wanted_name=wanted_name,
        token=form_token(request),
    )


async def _keys_of(account: Account, request: web.Request) -> dict[str, list[str]]:
    """Return the names of the keys that may post to nothing but a category and a few others, by category."""
    keys: dict[str, list[str]] = {}
    for key in await ApiKey.in_force(request.app[SERVICES].clock.now()).filter(account_id=account.id):
        for category in key.category_names or ():
            keys.setdefault(category, []).append(key.name)
    return keys
