"""Every error code the API answers, in one table: its status, sentences, headers and body.

Handlers raise `ApiError` with a code and the values its sentence names; OpenAPI renders its examples from
the same sentences, docs/errors.md is made of it, and tests hold the client to the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from api.replies import json_reply, time_text
from api.shapes.base import example_body
from api.shapes.errors import EventFailure, InvalidJson, InvalidRequest, Problem, QuotaUsedUp
from api.shapes.events import EVENT_ID, EventBody
from pingpilot.accounts.destinations import MOST_DESTINATIONS
from pingpilot.channels import CHANNELS

MAX_BODY = 64 * 1024
"""Bytes a request's body may have, packed or unpacked."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that is said under a code: a template, and the values of its published example.

    `headers` are sent with it, templates too, beside those that its code always has.
    """

    template: str
    example: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Code:
    """One code. `when` is for the documentation; `says` is the sentence, `variants` are others by name.

    Values named like a member of `shape` are in the body too.
    """

    status: HTTPStatus
    when: str
    says: Sentence
    variants: Mapping[str, Sentence] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    shape: type[BaseModel] = Problem


def _from_the_rules(example: str, **values: Any) -> Sentence:
    """Return the sentence of an error that the rules raise, which is worded there and passed on."""
    return Sentence("{sentence}", {"sentence": example, **values})


_EXAMPLE = example_body(EventBody)
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_WAIT = {"Retry-After": "{wait}"}
_CODES: Mapping[str, Code] = {
    "missing_authorization": Code(
        HTTPStatus.UNAUTHORIZED,
        "there is no Authorization header, and no X-API-Key",
        Sentence("Send your API key in the header `Authorization: Bearer pp_…`, or as `X-API-Key: pp_…`."),
        {
            "in_address": Sentence(
                "An API key is not taken from the address, which stands in logs: send it in the header "
                "`Authorization: Bearer pp_…`, or as `X-API-Key: pp_…`, and rotate this one."
            )
        },
        headers=_CHALLENGE,
    ),
    "invalid_authorization_format": Code(
        HTTPStatus.UNAUTHORIZED,
        "the Authorization header is neither `Bearer <key>` nor Basic with the key as its password",
        Sentence("The Authorization header is not of the form `Bearer pp_…`: write it like that."),
        {
            "basic": Sentence(
                "The Authorization header is not Basic as it should be, the base64 of `anything:pp_…`: "
                "give the key as the password, or send `Authorization: Bearer pp_…`."
            )
        },
        headers=_CHALLENGE,
    ),
    "invalid_api_key": Code(
        HTTPStatus.UNAUTHORIZED,
        "the key is empty, unknown or revoked",
        Sentence("This API key is not valid: check it, or make a new one with `pingpilot key create`."),
        headers=_CHALLENGE,
    ),
    "bad_request": Code(
        HTTPStatus.BAD_REQUEST,
        "the request is not HTTP as it should be",
        Sentence(
            "This is not a proper HTTP request ({reason}): check the client.",
            {"reason": "Invalid method encountered"},
        ),
        {
            "expect": Sentence("The header Expect may be '100-continue' alone: leave it out."),
            "form": Sentence(
                "This form was not sent from a page of the dashboard as it is now: go back, load the page "
                "again, and send it from there."
            ),
            "proxy": Sentence(
                "The proxy's header {header} does not name one e-mail address: check the proxy's settings.",
                {"header": "Remote-Email"},
            ),
        },
    ),
    "too_many_requests": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "many invalid API keys came from this address, or an account asked for too many codes or tests",
        Sentence(
            "Too many invalid API keys came from your address: check the key, and try again in {wait} s.",
            {"wait": 3},
        ),
        {
            "link_codes": _from_the_rules(
                "This account got 10 codes in the last 10 minutes: use one of them, or wait a little.",
                wait=600,
            ),
            "mailboxes": _from_the_rules(
                "This account asked 10 times in an hour for a mailbox to be confirmed: wait a little.",
                wait=3600,
            ),
            "tests": _from_the_rules(
                "'ops' was sent 60 test notifications in an hour: wait a little.", wait=3600
            ),
        },
        headers=_WAIT,
    ),
    "request_timeout": Code(
        HTTPStatus.REQUEST_TIMEOUT,
        "the body did not come in time",
        Sentence("The body did not come within {seconds} s: send it at once.", {"seconds": 20}),
        headers={"Connection": "close"},
    ),
    "payload_too_large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is over {MAX_BODY // 1024} KiB",
        Sentence(f"The body is over {MAX_BODY // 1024} KiB: send less, such as a link to the rest."),
    ),
    "invalid_json": Code(
        HTTPStatus.BAD_REQUEST,
        "the body is not JSON",
        Sentence(
            "The body is not JSON: {problem} at line {line}, column {column}. A body that works: {example}",
            {"problem": "Expecting value", "line": 1, "column": 14, "example": _EXAMPLE},
        ),
        {
            "empty": Sentence(
                "The body is empty. A body that works: {example}",
                {"line": 1, "column": 1, "example": _EXAMPLE},
            ),
            "form": Sentence(
                "The body is a form (`name=value`), and JSON is wanted. A body that works: {example}",
                {"line": 1, "column": 1, "example": _EXAMPLE},
            ),
            "quotes": Sentence(
                "The body is not JSON: its double quotes are missing or spoilt, as by a shell. In sh, put "
                "single quotes around the whole; on Windows, send a file with --data @event.json. "
                "A body that works: {example}",
                {"line": 1, "column": 2, "example": _EXAMPLE},
            ),
            "text": Sentence(
                "The body is plain text, and JSON is wanted. A body that works: {example}",
                {"line": 1, "column": 1, "example": _EXAMPLE},
            ),
            "utf16": Sentence("The body is UTF-16: send it as UTF-8."),
            "value": Sentence("The body is not JSON: {problem}.", {"problem": "NaN is not a JSON value"}),
            "utf8": Sentence("The body is not UTF-8: byte {byte} can't be read.", {"byte": 1}),
            "depth": Sentence("The body is nested too deeply: send a flat object."),
            "cut_off": Sentence("The body ended early or is not chunked as it should be: send it again."),
            "unknown_encoding": Sentence(
                "The body's Content-Encoding is not known here: send it as it is, or as gzip or deflate."
            ),
            "wrong_encoding": Sentence(
                "The body is not {encoding}: check its Content-Encoding.", {"encoding": "gzip"}
            ),
            "part_of_encoding": Sentence(
                "The body is not one whole {encoding}: check its Content-Encoding.", {"encoding": "gzip"}
            ),
        },
        shape=InvalidJson,
    ),
    "validation_error": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "members, headers or parameters are not as they must be; all of them are named",
        Sentence(
            "The request is not valid: {problems}",
            {
                "problems": f"category: is required. A body that works: {_EXAMPLE}",
                "errors": [{"field": "category", "message": "is required."}],
            },
        ),
        shape=InvalidRequest,
    ),
    "insufficient_scope": Code(
        HTTPStatus.FORBIDDEN,
        "the key may only send events, or not to this category",
        Sentence(
            "This API key may only send events: use one made with the scope '{scope}' for this call.",
            {"scope": "manage"},
            {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="{scope}"'},  # RFC 6750, 3.1
        ),
        {
            "web_page": Sentence(
                "A key in a web page is everybody's, and this one may manage the account: use one made with "
                "the scope 'send', and rotate this one.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="send"'},
            ),
            "category": Sentence(
                "This API key may not post to '{category}': it is kept to {allowed}, so use another key.",
                {"category": "sale", "allowed": "'bug', 'question'"},
                {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            ),
        },
    ),
    "account_suspended": Code(
        HTTPStatus.FORBIDDEN,
        "whoever runs this server has suspended the account",
        Sentence(
            "This account is suspended: ask {contact}. What waits is kept, and goes out once that ends.",
            {"contact": "whoever runs this server"},
        ),
    ),
    "category_not_found": Code(
        HTTPStatus.NOT_FOUND,
        "the account has no such category",
        _from_the_rules("There is no category 'sales': did you mean 'sale'?"),
        {
            "name": Sentence("There is no such category: a name is 1 to 64 of a-z, 0-9 and '-'."),
            # To a key kept to some categories, which is told of no others
            "removed": Sentence(
                "There is no category '{category}' any more: add it again, or use another key.",
                {"category": "sale"},
            ),
        },
    ),
    "not_found": Code(
        HTTPStatus.NOT_FOUND,
        "there is nothing at this address, or the account has no such thing",
        Sentence("There is nothing at this address: check the path."),
        {
            "event": Sentence("This account has no such event: check its id."),
            "key": Sentence("This account has no such key in force: check its id in the list."),
            "channel": Sentence(
                "There is no such channel: choose from {channels}.", {"channels": "discord, telegram"}
            ),
            "destination": _from_the_rules("There is no destination 'opps': did you mean 'ops'?"),
            "destination_name": Sentence(
                "There is no such destination: a name is 1 to 32 of a-z, 0-9 and '-'."
            ),
            "link": Sentence(
                "{channel} is not linked, so there is nothing to remove.", {"channel": "Telegram"}
            ),
        },
    ),
    "method_not_allowed": Code(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "the method is not possible at this address; `Allow` names those that are",
        Sentence("{method} is not possible here: use {allow}.", {"method": "PUT", "allow": "POST"}),
        headers={"Allow": "{allow}"},
    ),
    "precondition_failed": Code(
        HTTPStatus.PRECONDITION_FAILED,
        "the file is another than `If-Match` names",
        Sentence("This file is another than the one that If-Match names: ask for it without If-Match."),
    ),
    "idempotency_key_reused": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "the Idempotency-Key was used for another event in the last 24 hours",
        Sentence("This Idempotency-Key was used for another event in the last 24 hours: use a new one."),
    ),
    "category_exists": Code(
        HTTPStatus.CONFLICT,
        "the account has a category of this name",
        _from_the_rules("There is a category 'sale' already: choose another name, or change that one."),
    ),
    "too_many_categories": Code(
        HTTPStatus.CONFLICT,
        "the account has 1,000 categories",
        _from_the_rules("An account has up to 1,000 categories: remove one first."),
    ),
    "channel_not_configured": Code(
        HTTPStatus.CONFLICT,
        "this server has no settings for the channel",
        Sentence(
            "{channels} can't be switched on: this server is not set up for it.", {"channels": "Discord"}
        ),
    ),
    "destination_exists": Code(
        HTTPStatus.CONFLICT,
        "the account has a destination of this name",
        _from_the_rules(
            "There is a destination 'ops' already: choose another name, or remove that one first."
        ),
    ),
    "too_many_destinations": Code(
        HTTPStatus.CONFLICT,
        f"the account has {MOST_DESTINATIONS} destinations",
        _from_the_rules(f"An account has up to {MOST_DESTINATIONS} destinations: remove one first."),
    ),
    "destination_not_usable": Code(
        HTTPStatus.CONFLICT,
        "nothing can be sent to the destination now",
        Sentence("Nothing can be sent to '{name}': {reason}", {"name": "ops", "reason": "it is off."}),
    ),
    "wrong_kind_of_destination": Code(
        HTTPStatus.CONFLICT,
        "a direct destination can't be removed, and only a webhook has a secret",
        _from_the_rules("'ops' is not a webhook, and has no secret."),
    ),
    "confirmation_not_sent": Code(
        HTTPStatus.BAD_GATEWAY,
        "the mail that asks a new mailbox to confirm could not be sent",
        Sentence(
            "The link that confirms {address} could not be sent, and nothing was added: {reason}",
            {"address": "team@example.com", "reason": "No such mailbox."},
        ),
    ),
    "key_exists": Code(
        HTTPStatus.CONFLICT,
        "the account has a key of this name",
        _from_the_rules("There is a key named 'default' already: choose another name or revoke that one."),
    ),
    "key_rotated": Code(
        HTTPStatus.CONFLICT,
        "the key was rotated before",
        _from_the_rules("The key 'default' was rotated before: rotate the one that replaced it."),
    ),
    "too_many_keys": Code(
        HTTPStatus.CONFLICT,
        "the account has 100 keys in force",
        _from_the_rules("This account has 100 keys, the most there may be: revoke one first."),
        {
            "rotation": Sentence(
                "{sentence} Or rotate with `overlapSeconds` 0, which revokes the old key at once.",
                {"sentence": "This account has 100 keys, the most there may be: revoke one first."},
            )
        },
    ),
    "last_manage_key": Code(
        HTTPStatus.CONFLICT,
        "no other key of the account could make keys",
        Sentence(
            "{sentence} Make another first, or rotate it with `overlapSeconds` 0.",
            {"sentence": "The key 'default' is the last that can manage this account."},
        ),
    ),
    "quota_exceeded": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "the month's quota is used up",
        Sentence(
            "This month's {limit:,} events are used up: wait until {reset_date}, or ask {contact} for more.",
            {
                "limit": 100,
                "contact": "ops@example.com",
                "reset_date": "2026-12-01T00:00:00.000Z",
                "wait": 648000,
            },
        ),
        headers=_WAIT,
        shape=QuotaUsedUp,
    ),
    "processing_failed": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "something failed on our side; or the caller waited, and a delivery failed for good",
        Sentence("Something failed on our side: try again with the same Idempotency-Key."),
        {
            "not_stored": Sentence(
                "The event could not be stored, and nothing was charged: try again in a moment."
            ),
            "not_delivered": Sentence(
                "The event is stored, but could not be delivered to {channels}: see lastError.",
                {
                    "channels": "E-mail",
                    "event_id": EVENT_ID,
                    "delivery_status": "FAILED",
                    "deliveries": [
                        {
                            "destination": "email",
                            "channel": "email",
                            "status": "failed",
                            "attempts": 1,
                            "last_error": "No such mailbox.",
                            "next_attempt_at": None,
                            "delivered_at": None,
                        }
                    ],
                },
            ),
        },
        shape=EventFailure,
    ),
    "shutting_down": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the daemon is stopping",
        Sentence("The daemon is stopping: try again in a few seconds."),
        headers={"Retry-After": "5", "Connection": "close"},  # about as long as a restart takes
    ),
}


def codes() -> dict[str, Code]:
    """Return all codes by name, those of the channels made from the kinds that there are now."""
    known = dict(_CODES)
    for kind in CHANNELS.values():
        if kind.unlinked_code:
            says = (
                f"{kind.label} is switched on for this account but not linked: get a code with {{command}} "
                f"and send `/link CODE` to the {kind.label} bot, or switch {kind.label} off."
            )
            example = {"command": "`pingpilot link-code --account alice@example.com`"}
            known[kind.unlinked_code] = Code(
                HTTPStatus.FORBIDDEN, f"{kind.label} is switched on and not linked", Sentence(says, example)
            )
    return known


class ApiError(Exception):
    """An error reply in the making; its text is the sentence.

    `name` is a code of the table, or `code/variant` for one of its other sentences; `values` are what the
    sentence, the headers and the body name.
    """

    def __init__(self, name: str, /, **values: Any) -> None:
        self.code = name.partition("/")[0]
        record, sentence = _found(name)
        shown = {
            name: time_text(value) if isinstance(value, datetime) else value for name, value in values.items()
        }
        super().__init__(sentence.template.format_map(shown))
        self.status = int(record.status)
        headers = {**record.headers, **sentence.headers}
        self.headers = {name: template.format_map(shown) for name, template in headers.items()}
        members = {name: value for name, value in values.items() if name in record.shape.model_fields}
        self.body = record.shape(message=str(self), code=self.code, **members)

    def reply(self) -> web.Response:
        return json_reply(self.body, status=self.status, headers=self.headers)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What shows an error to people, whose browsers ask for HTML; programs get JSON."""

    show: Callable[[web.Request, ApiError], web.Response]


def example_of(name: str) -> ApiError:
    """Return the error as the documentation shows it; `name` as `ApiError` takes it."""
    return ApiError(name, **_found(name)[1].example)


def _found(name: str) -> tuple[Code, Sentence]:
    code, _, variant = name.partition("/")
    record = _CODES.get(code) or codes()[code]
    return record, record.variants[variant] if variant else record.says
