"""Request bodies and queries: read within bounds, parsed, checked by pydantic, every problem named."""

import asyncio
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, TypeVar

from aiohttp import ClientPayloadError, web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.errors import MAX_BODY, ApiError
from api.shapes.errors import InvalidMember

Body = TypeVar("Body", bound=BaseModel)

BODY_TIMEOUT = 20.0
"""Seconds in which a whole body must have come: 64 KiB in that time are slower than a modem."""
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's `wbits`; RFC 9110, 8.4.1
_MOST_DIGITS = 400  # a longer integer is over the largest float, so not a number most readers can hold
_MOST_IN_SENTENCE = 3  # invalid members; `errors` has all of them
_MESSAGES = {
    "missing": "is required.",
    "extra_forbidden": "is not a member this call knows: remove it.",
    "model_type": "must be a JSON object.",
    "dict_type": "must be an object of names and values.",
    "bool_type": "must be true or false.",
}
_QUERY_MESSAGES = {"extra_forbidden": "is not a parameter this call knows: remove it."}


async def read_body(request: web.Request, shape: type[Body]) -> Body:
    """Return the request's body as `shape`.

    Raises the contract's `payload_too_large`, `request_timeout`, `invalid_json` and `validation_error`.
    """
    data = _parsed(await _read(request))
    try:
        return shape.model_validate(data)
    except ValidationError as exc:
        found = exc
    if isinstance(data, dict):
        # Of a member whose name is not Unicode, pydantic names neither it nor the others: look once more
        try:
            shape.model_validate({_unicode(name): data[name] for name in data})
        except ValidationError as exc:
            found = exc
    raise invalid_request(*_invalid_members(found, _MESSAGES))


def read_query(request: web.Request, shape: type[Body]) -> Body:
    """Return what stands behind the `?` as `shape`. Raises the contract's `validation_error`."""
    given = [(_unicode(name), _unicode(value)) for name, value in request.query.items()]
    counts = Counter(name for name, _ in given)
    invalid = [(name, "must be given once.") for name, count in counts.items() if count > 1]
    try:
        query = shape.model_validate(dict(given))
    except ValidationError as exc:
        invalid += _invalid_members(exc, _QUERY_MESSAGES)
    if invalid:
        raise invalid_request(*invalid)
    return query


def invalid_request(*invalid: tuple[str, str]) -> ApiError:
    """Return a `validation_error` that names each invalid member and says what it must be."""
    problems = " ".join(f"{field}: {message}" for field, message in invalid[:_MOST_IN_SENTENCE])
    if len(invalid) > _MOST_IN_SENTENCE:
        problems += f" (and {len(invalid) - _MOST_IN_SENTENCE} more)"
    members = [InvalidMember(field=field, message=message) for field, message in invalid]
    return ApiError("validation_error", problems=problems, errors=members)


async def _read(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise ApiError("payload_too_large")
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            body = await request.read()
    except TimeoutError:
        raise ApiError("request_timeout", seconds=round(BODY_TIMEOUT)) from None
    except (ClientPayloadError, ValueError, web.RequestPayloadError, ConnectionError) as exc:
        raise ApiError("invalid_json/cut_off") from exc
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    return body if encoding == "identity" else _unpacked(body, encoding)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding not in _WINDOWS:
        raise ApiError("invalid_json/unknown_encoding")
    unpacker = zlib.decompressobj(_WINDOWS[encoding])
    try:
        text = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as exc:
        raise ApiError("invalid_json/wrong_encoding", encoding=encoding) from exc
    if len(text) > MAX_BODY:
        raise ApiError("payload_too_large")
    if not unpacker.eof or unpacker.unused_data:
        raise ApiError("invalid_json/part_of_encoding", encoding=encoding)
    return text


def _parsed(body: bytes) -> Any:
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as exc:
        raise ApiError("invalid_json/utf8", byte=exc.start + 1) from None
    except json.JSONDecodeError as exc:
        name = "invalid_json" if body.strip() else "invalid_json/empty"
        raise ApiError(name, problem=exc.msg, line=exc.lineno, column=exc.colno) from None
    except ValueError as exc:
        raise ApiError("invalid_json/value", problem=exc) from None
    except RecursionError:
        raise ApiError("invalid_json/depth") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_int=lambda digits: int(digits) if len(digits) <= _MOST_DIGITS else math.inf,
)


def _invalid_members(exc: ValidationError, messages: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the path of each invalid member, and what it must be."""
    errors: list[ErrorDetails] = exc.errors(include_url=False, include_input=False)
    found = []
    for error in errors:
        first, rest = error["loc"][:2], error["loc"][2:]
        parts = (*first, *takewhile(lambda part: part != "[key]", rest))  # "[key]": its name, not its value
        path = ".".join(str(part) for part in parts) if parts else "body"
        found.append((path, messages.get(error["type"], error["msg"])))
    return found


def _unicode(text: str) -> str:
    """Return the text with what is not Unicode (a lone surrogate) as a question mark."""
    return text.encode(errors="replace").decode()
