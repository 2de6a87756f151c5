"""Request bodies and queries: read within bounds, parsed, checked by pydantic, every problem named."""

import asyncio
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, TypeVar

from aiohttp import ClientPayloadError, hdrs, web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.errors import MAX_BODY, ApiError
from api.shapes.base import example_body, members_of
from api.shapes.errors import InvalidMember

Body = TypeVar("Body", bound=BaseModel)

BODY_TIMEOUT = 20.0
"""Seconds in which a whole body must have come: 64 KiB in that time are slower than a modem."""
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's `wbits`; RFC 9110, 8.4.1
_MOST_DIGITS = 400  # a longer integer is over the largest float, so not a number most readers can hold
_MOST_IN_SENTENCE = 3  # invalid members; `errors` has all of them
_MESSAGES = {
    "missing": "is required.",
    "extra_forbidden": "is not a member this call knows: {hint}",
    "model_type": "must be a JSON object.",
    "dict_type": "must be an object of names and values.",
    "bool_type": "must be true or false.",
}
_QUERY_MESSAGES = {"extra_forbidden": "is not a parameter this call knows: {hint}"}
_OF_FORM = {"missing", "extra_forbidden", "model_type", "model_attributes_type", "dict_type"}
"""What is wrong with the form of a body rather than with one value: an example helps."""
_FORM = re.compile(r"[\w.+%\[\]-]+=|--[\w'()+,./:=?-]+\r?\n")  # the beginning of a form, of either kind
_WITHOUT_QUOTES = re.compile(r"'|\{\s*(?:[\w'’“]|\\)")  # what a shell leaves of JSON
_PLAIN_TEXT = re.compile(r"[^\s{\[\"\d-]")
_BOM, _UTF_16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_LONGEST_NAME = 100  # of a member that is compared with those there are
_SHORTEST_START = 3  # letters of a member's name that tell which is meant
_JSON_WORDS = ("true", "false", "null", "NaN", "Infinity")


async def read_body(request: web.Request, shape: type[Body]) -> Body:
    """Return the request's body as `shape`.

    Raises the contract's `payload_too_large`, `request_timeout`, `invalid_json` and `validation_error`.
    """
    data = parsed(await read_bytes(request), shape)
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
    helps = any(error["type"] in _OF_FORM for error in found.errors(include_url=False, include_input=False))
    raise invalid_request(
        *_invalid_members(found, shape, _MESSAGES), example=example_body(shape) if helps else None
    )


def read_query(request: web.Request, shape: type[Body]) -> Body:
    """Return what stands behind the `?` as `shape`. Raises the contract's `validation_error`."""
    given = [(_unicode(name), _unicode(value)) for name, value in request.query.items()]
    counts = Counter(name for name, _ in given)
    invalid = [(name, "must be given once.") for name, count in counts.items() if count > 1]
    try:
        query = shape.model_validate(dict(given))
    except ValidationError as exc:
        invalid += _invalid_members(exc, shape, _QUERY_MESSAGES)
    if invalid:
        raise invalid_request(*invalid)
    return query


def invalid_request(*invalid: tuple[str, str], example: str | None = None) -> ApiError:
    """Return a `validation_error` that names each invalid member and says what it must be."""
    problems = " ".join(f"{field}: {message}" for field, message in invalid[:_MOST_IN_SENTENCE])
    if len(invalid) > _MOST_IN_SENTENCE:
        problems += f" (and {len(invalid) - _MOST_IN_SENTENCE} more)."
    if example:
        problems += f" A body that works: {example}"
    members = [InvalidMember(field=field, message=message) for field, message in invalid]
    return ApiError("validation_error", problems=problems, errors=members)


async def read_bytes(request: web.Request) -> bytes:
    """Return the request's body, unpacked.

    Raises the contract's `payload_too_large`, `request_timeout` and `invalid_json`.
    """
    if (request.content_length or 0) > MAX_BODY:
        raise ApiError("payload_too_large")
    try:
        async with nullcontext() if request.content.is_eof() else asyncio.timeout(BODY_TIMEOUT):
            body = await request.read()
    except TimeoutError:
        raise ApiError("request_timeout", seconds=round(BODY_TIMEOUT)) from None
    except (ClientPayloadError, ValueError, web.RequestPayloadError, ConnectionError) as exc:
        raise ApiError("invalid_json/cut_off") from exc
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    return body if encoding == "identity" else _unpacked(body, encoding)


def bytes_at_hand(request: Any) -> bytes:
    """Return the body where all of it is there, and not packed; else nothing: `read_bytes` waits for it."""
    content = request.content
    if not content.is_eof() or content.total_bytes > MAX_BODY or hdrs.CONTENT_ENCODING in request.headers:
        return b""
    # aiohttp's own way takes four times as long; `read_bytes` is to find the body where that would leave it
    body: bytes = content.read_nowait()
    request._read_bytes = body
    return body


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


def parsed(body: bytes, shape: type[BaseModel]) -> Any:
    """Return what a JSON body holds. Raises the contract's `invalid_json`, with an example of the shape."""
    body = body.removeprefix(_BOM)  # which Windows programs write
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as exc:
        if body.startswith(_UTF_16):
            raise ApiError("invalid_json/utf16") from None
        raise ApiError("invalid_json/utf8", byte=exc.start + 1) from None
    except json.JSONDecodeError as exc:
        cause = _likely_cause(body.decode().lstrip())
        place = {"problem": exc.msg.removesuffix(" at"), "line": exc.lineno, "column": exc.colno}
        raise ApiError(cause, example=example_body(shape), **place) from None
    except ValueError as exc:
        raise ApiError("invalid_json/value", problem=exc) from None
    except RecursionError:
        raise ApiError("invalid_json/depth") from None


def _likely_cause(text: str) -> str:
    """Return the error that fits a body which is not JSON: what somebody meant to send, by its beginning."""
    if not text:
        return "invalid_json/empty"
    if "\0" in text[:2]:  # without the mark that says so; no character of JSON's beginning is one
        return "invalid_json/utf16"
    if _FORM.match(text):
        return "invalid_json/form"
    if _WITHOUT_QUOTES.match(text):
        return "invalid_json/quotes"
    is_text = _PLAIN_TEXT.match(text) and not text.startswith(_JSON_WORDS)
    return "invalid_json/text" if is_text else "invalid_json"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_int=lambda digits: int(digits) if len(digits) <= _MOST_DIGITS else math.inf,
)


def _invalid_members(
    exc: ValidationError, shape: type[BaseModel], messages: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the path of each invalid member, and what it must be."""
    errors: list[ErrorDetails] = exc.errors(include_url=False, include_input=False)
    found = []
    for error in errors:
        first, rest = error["loc"][:2], error["loc"][2:]
        parts = (*first, *takewhile(lambda part: part != "[key]", rest))  # "[key]": its name, not its value
        path = ".".join(str(part) for part in parts) if parts else "body"
        message = messages.get(error["type"], error["msg"])
        if error["type"] == "extra_forbidden":
            known = members_of(shape, nested=len(error["loc"]) > 1)
            plain = {re.sub("[^a-z]", "", each.lower()): each for each in known}
            meant = re.sub("[^a-z]", "", str(parts[-1])[:_LONGEST_NAME].lower())
            near = get_close_matches(meant, plain, n=1)
            near = near or [
                each for each in plain if len(meant) >= _SHORTEST_START and each.startswith(meant)
            ]
            message = message.format(hint=f"did you mean '{plain[near[0]]}'?" if near else "remove it.")
        found.append((path, message))
    return found


def _unicode(text: str) -> str:
    """Return the text with what is not Unicode (a lone surrogate) as a question mark."""
    return text.encode(errors="replace").decode()
