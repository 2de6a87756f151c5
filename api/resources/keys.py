"""`/api/v1/keys`: list, create, rotate and revoke API keys."""

import re
from datetime import datetime

from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import read_body
from api.services import SERVICES
from api.shapes.base import Shape
from api.shapes.keys import (
    CreatedKey,
    KeyList,
    NewKeyBody,
    RevokedKey,
    RotatedKey,
    RotationBody,
    ShownKey,
)
from models import Account, ApiKey
from pingpilot.accounts.callers import Caller
from pingpilot.accounts.keys import (
    AlreadyRotated,
    LastManageKey,
    TooManyKeys,
    create_key,
    revoke_spare_key,
    rotate_key,
)
from pingpilot.errors import AlreadyExists, NotFound

_SHOWN_ONCE = "Keep the key: it is shown this once."
_ID = re.compile(r"[0-9]{1,18}")  # within 64 bits


async def get_keys(request: web.Request) -> web.Response:
    """Return the account's keys in force; during a rotation's overlap the old one and the new one."""
    caller = await authenticate(request)
    rows = await ApiKey.in_force(_now(request)).filter(account_id=caller.account_id)
    return _reply(KeyList(keys=[ShownKey.of(row, current=row.id == caller.key_id) for row in rows]))


async def post_key(request: web.Request) -> web.Response:
    """Make a key and show it, this once."""
    caller = await authenticate(request)
    body = await read_body(request, NewKeyBody)
    try:
        row, key = await create_key(await _account(caller), body.name, _now(request), body.rights)
    except NotFound as exc:
        raise ApiError("category_not_found", sentence=exc) from None
    except AlreadyExists as exc:
        raise ApiError("key_exists", sentence=exc) from None
    except TooManyKeys as exc:
        raise ApiError("too_many_keys", sentence=exc) from None
    return _reply(CreatedKey(**dict(ShownKey.of(row)), message=_SHOWN_ONCE, key=key), status=201)


async def rotate(request: web.Request) -> web.Response:
    """Replace a key by a new one of the same name and rights; the old one works for the overlap."""
    caller = await authenticate(request)
    body = await read_body(request, RotationBody)
    key_id = _key_id(request)
    try:
        rotation = await rotate_key(await _account(caller), key_id, body.overlap, _now(request))
    except NotFound:
        raise ApiError("not_found/key") from None
    except AlreadyRotated as exc:
        raise ApiError("key_rotated", sentence=exc) from None
    except TooManyKeys as exc:
        raise ApiError("too_many_keys/rotation", sentence=exc) from None
    old = ShownKey.of(rotation.old, current=rotation.old.id == caller.key_id)
    whose = "the one this request was made with" if old.current else "the old one"
    rotated = RotatedKey(
        **dict(ShownKey.of(rotation.row)),
        message=f"{_SHOWN_ONCE} It replaces {whose}, which is refused from `replaces.expiresAt` on.",
        key=rotation.key,
        replaces=old,
    )
    return _reply(rotated, status=201)


async def delete_key(request: web.Request) -> web.Response:
    """Revoke a key, the request's own included; the last that can manage the account stays."""
    caller = await authenticate(request)
    try:
        key = await revoke_spare_key(await _account(caller), _key_id(request), _now(request))
    except NotFound:
        raise ApiError("not_found/key") from None
    except LastManageKey as exc:
        raise ApiError("last_manage_key", sentence=exc) from None
    own = key.id == caller.key_id
    message = f"The key '{key.name}' is revoked{', which this request was made with' if own else ''}."
    return _reply(RevokedKey(message=message, id=key.id, current=own))


def _key_id(request: web.Request) -> int:
    text = request.match_info["key_id"]
    if not _ID.fullmatch(text):
        raise ApiError("not_found/key")
    return int(text)


async def _account(caller: Caller) -> Account:
    return await Account.get(id=caller.account_id)


def _now(request: web.Request) -> datetime:
    return request.app[SERVICES].clock.now()


def _reply(shape: Shape, status: int = 200) -> web.Response:
    """Return the shape as JSON, for nobody to store: it may hold a key."""
    return json_reply(shape, status=status, headers={"Cache-Control": "no-store"})


CALLS = (
    Call(
        method="GET",
        path="/api/v1/keys",
        handler=get_keys,
        tag="Keys",
        summary="List the API keys in force",
        replies={200: KeyList},
    ),
    Call(
        method="POST",
        path="/api/v1/keys",
        handler=post_key,
        tag="Keys",
        summary="Create an API key, shown once",
        body=NewKeyBody,
        replies={201: CreatedKey},
        errors=("category_not_found", "key_exists", "too_many_keys"),
    ),
    Call(
        method="POST",
        path="/api/v1/keys/{key_id}/rotate",
        handler=rotate,
        tag="Keys",
        summary="Replace an API key; the old one works for an overlap",
        body=RotationBody,
        replies={201: RotatedKey},
        errors=("not_found/key", "key_rotated", "too_many_keys/rotation"),
    ),
    Call(
        method="DELETE",
        path="/api/v1/keys/{key_id}",
        handler=delete_key,
        tag="Keys",
        summary="Revoke an API key",
        replies={200: RevokedKey},
        errors=("not_found/key", "last_manage_key"),
    ),
)
