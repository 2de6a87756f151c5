"""Request bodies and queries: read within bounds, parsed, checked by pydantic, every fault named."""

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

from api.errors import MAX_BODY, ApiError, payload_too_large

Body = TypeVar("Body", bound=BaseModel)

BODY_TIMEOUT = 20.0
"""Seconds in which a whole body must have come: 64 KiB in that time are slower than a modem."""
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's `wbits`; RFC 9110, 8.4.1
_MOST_DIGITS = 400  # a longer integer is over the largest float, so not a number most readers can hold
_MOST_TOLD = 3  # faults in the sentence; `errors` has all of them


async def read_body(request: web.Request, shape: type[Body]) -> Body:
    """Return the request's body as `shape`.

    Raises the contract's `payload_too_large`, `invalid_json` and `validation_error`.
    """
    return _checked(_parsed(await _read(request)), shape)


def read_query(request: web.Request, shape: type[Body]) -> Body:
    """Return what stands behind the `?` as `shape`. Raises the contract's `validation_error`."""
    given = [(_unicode(name), _unicode(value)) for name, value in request.query.items()]
    counts = Counter(name for name, _ in given)
    faults = [(name, "must be given once.") for name, count in counts.items() if count > 1]
    try:
        query = shape.model_validate(dict(given))
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False)
        faults += [_fault(error, _QUERY_WORDING) for error in errors]
    if faults:
        raise invalid(*faults)
    return query


def invalid(*faults: tuple[str, str]) -> ApiError:
    """Return a `validation_error` that names each faulty member and says what it must be."""
    errors = [{"field": field, "message": message} for field, message in faults]
    summary = " ".join(f"{field}: {message}" for field, message in faults[:_MOST_TOLD])
    more = f" (and {len(faults) - _MOST_TOLD} more)" if len(faults) > _MOST_TOLD else ""
    return ApiError(422, "validation_error", f"The request is not valid: {summary}{more}", errors=errors)


async def _read(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise payload_too_large()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            body = await request.read()
    except TimeoutError:
        raise ApiError(
            408,
            "request_timeout",
            f"The body did not come within {BODY_TIMEOUT:.0f} s: send it at once.",
            headers={"Connection": "close"},
        ) from None
    except (ClientPayloadError, ValueError, web.RequestPayloadError, ConnectionError) as exc:
        raise _not_json("The body ended early or is not chunked as it should be: send it again.") from exc
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    return body if encoding == "identity" else _unpacked(body, encoding)


def _unpacked(body: bytes, encoding: str) -> bytes:
    window = _WINDOWS.get(encoding)
    if window is None:
        raise _not_json(
            "The body's Content-Encoding is not known here: send it as it is, or as gzip or deflate."
        )
    unpacker = zlib.decompressobj(window)
    try:
        text = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as exc:
        raise _not_json(f"The body is not {encoding}: check its Content-Encoding.") from exc
    if len(text) > MAX_BODY:
        raise payload_too_large()
    if not unpacker.eof or unpacker.unused_data:
        raise _not_json(f"The body is not one whole {encoding}: check its Content-Encoding.")
    return text


def _parsed(body: bytes) -> Any:
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as exc:
        raise _not_json(f"The body is not UTF-8: byte {exc.start + 1} can't be read.") from None
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        message = "The body is empty" if not body.strip() else f"The body is not JSON: {exc.msg} at {where}"
        raise _not_json(f"{message}: send an object.", line=exc.lineno, column=exc.colno) from None
    except ValueError as exc:
        raise _not_json(f"The body is not JSON: {exc}.") from None
    except RecursionError:
        raise _not_json("The body is nested too deeply: send a flat object.") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer)


def _not_json(message: str, **adds: Any) -> ApiError:
    return ApiError(400, "invalid_json", message, **adds)


def _checked(data: Any, shape: type[Body]) -> Body:
    try:
        return shape.model_validate(data)
    except ValidationError as exc:
        raise invalid(*(_fault(error, _WORDING) for error in _errors(data, shape, exc))) from None


def _errors(data: Any, shape: type[Body], exc: ValidationError) -> list[ErrorDetails]:
    """Return all errors. For a member whose name is no Unicode, pydantic names neither it nor the others."""
    if isinstance(data, dict):
        try:
            shape.model_validate({_unicode(name): data[name] for name in data})
        except ValidationError as named:
            exc = named
    return exc.errors(include_url=False, include_input=False)


def _unicode(text: str) -> str:
    """Return the text with what is no Unicode (a lone surrogate) as a question mark."""
    return text.encode(errors="replace").decode()


def _fault(error: ErrorDetails, wording: Mapping[str, str]) -> tuple[str, str]:
    first, rest = error["loc"][:2], error["loc"][2:]
    named = (*first, *takewhile(lambda part: part != "[key]", rest))  # "[key]" tells a name from its value
    path = ".".join(str(part) for part in named) if named else "body"
    return path, wording.get(error["type"], error["msg"])


_WORDING = {
    "missing": "is required.",
    "extra_forbidden": "is not a member this call knows: remove it.",
    "model_type": "must be a JSON object.",
    "dict_type": "must be an object of names and values.",
    "bool_type": "must be true or false.",
}
_QUERY_WORDING = {"extra_forbidden": "is not a parameter this call knows: remove it."}
