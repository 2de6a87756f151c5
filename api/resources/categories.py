"""`/api/v1/categories`: an account's categories, listed, added, changed and removed."""

import re
from dataclasses import asdict
from http import HTTPStatus

from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import invalid_request, read_body
from api.services import SERVICES
from api.shapes.categories import CategoryBody, CategoryPatch, RemovedCategory, ShownCategories, ShownCategory
from models import Account
from pingpilot.accounts.categories import (
    NAME_PATTERN,
    CategoryReport,
    UnknownDestination,
    change_category,
    count_events,
    create_category,
    remove_category,
    report_categories,
    report_category,
)
from pingpilot.errors import AlreadyExists, NotFound, TooMany

CATEGORIES, CATEGORY = "/api/v1/categories", "/api/v1/categories/{name}"


async def get_categories(request: web.Request) -> web.Response:
    """Return all of the caller's categories with this month's counts."""
    caller = await authenticate(request)
    account = await Account.get(id=caller.account_id)
    reports = await report_categories(account, request.app[SERVICES].clock.now())
    return json_reply(ShownCategories(categories=[_shown(each) for each in reports]))


async def post_category(request: web.Request) -> web.Response:
    """Add a category."""
    caller = await authenticate(request)
    body = await read_body(request, CategoryBody)
    account = await Account.get(id=caller.account_id)
    try:
        await create_category(account, body.name, body.changes, request.app[SERVICES].clock.now())
    except AlreadyExists as exc:
        raise ApiError("category_exists", sentence=exc) from None
    except TooMany as exc:
        raise ApiError("too_many_categories", sentence=exc) from None
    except UnknownDestination as exc:
        raise invalid_request((exc.member, str(exc))) from None
    return await _reply(request, account, body.name, status=201)


async def get_category(request: web.Request) -> web.Response:
    """Return one category with this month's count."""
    caller = await authenticate(request)
    account = await Account.get(id=caller.account_id)
    return await _reply(request, account, _named(request))


async def patch_category(request: web.Request) -> web.Response:
    """Change what is sent of a category, all of it or nothing."""
    caller = await authenticate(request)
    body = await read_body(request, CategoryPatch)
    account, name = await Account.get(id=caller.account_id), _named(request)
    try:
        await change_category(account, name, body.changes)
    except NotFound as exc:
        raise ApiError("category_not_found", sentence=exc) from None
    except UnknownDestination as exc:
        raise invalid_request((exc.member, str(exc))) from None
    return await _reply(request, account, name)


async def delete_category(request: web.Request) -> web.Response:
    """Remove a category; its events stay, under its name."""
    caller = await authenticate(request)
    account, name = await Account.get(id=caller.account_id), _named(request)
    try:
        await remove_category(account, name)
    except NotFound as exc:
        raise ApiError("category_not_found", sentence=exc) from None
    message = f"The category '{name}' is removed. Its events stay, under its name."
    events = await count_events(account, name)
    return json_reply(RemovedCategory(message=message, name=name, events_accepted=events))


async def _reply(request: web.Request, account: Account, name: str, status: int = 200) -> web.Response:
    try:
        report = await report_category(account, name, request.app[SERVICES].clock.now())
    except NotFound as exc:
        raise ApiError("category_not_found", sentence=exc) from None
    headers = {"Location": CATEGORY.format(name=name)} if status == HTTPStatus.CREATED else None
    return json_reply(_shown(report), status=status, headers=headers)


def _named(request: web.Request) -> str:
    """Return the name in the path, fit for a query: it may be any text."""
    name = request.match_info["name"]
    if not re.fullmatch(NAME_PATTERN, name):
        raise ApiError("category_not_found/name")
    return name


def _shown(report: CategoryReport) -> ShownCategory:
    return ShownCategory.model_validate(asdict(report))


CALLS = (
    Call(
        method="GET",
        path=CATEGORIES,
        handler=get_categories,
        tag="Categories",
        summary="List the categories with this month's counts",
        replies={200: ShownCategories},
    ),
    Call(
        method="POST",
        path=CATEGORIES,
        handler=post_category,
        tag="Categories",
        summary="Add a category",
        body=CategoryBody,
        replies={201: ShownCategory},
        errors=("category_exists", "too_many_categories"),
    ),
    Call(
        method="GET",
        path=CATEGORY,
        handler=get_category,
        tag="Categories",
        summary="Show a category with this month's count",
        replies={200: ShownCategory},
        errors=("category_not_found", "category_not_found/name"),
    ),
    Call(
        method="PATCH",
        path=CATEGORY,
        handler=patch_category,
        tag="Categories",
        summary="Change what is sent of a category",
        body=CategoryPatch,
        replies={200: ShownCategory},
        errors=("category_not_found", "category_not_found/name"),
    ),
    Call(
        method="DELETE",
        path=CATEGORY,
        handler=delete_category,
        tag="Categories",
        summary="Remove a category; its events stay, under its name",
        replies={200: RemovedCategory},
        errors=("category_not_found", "category_not_found/name"),
    ),
)
