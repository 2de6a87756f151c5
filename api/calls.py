"""What a call of the API is: enough to route it, and to describe it in OpenAPI."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from models import KeyScope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: where it is reached, who answers, and what goes in and out.

    `scope` is what the caller's key must allow; None means that no key is asked for. `body` and `query`
    are the shapes of what is sent (a body that is not `body_required` may be left out), `replies` those of
    the JSON answers by status (None: no JSON). `errors` are the contract's codes beyond those that any call
    may answer, or any with a body, as `ApiError` takes them. `needs_links`: the call is refused while a
    channel is switched on and not linked. `headers` are the request headers it heeds beside `Authorization`
    and `X-Request-Id`, as `api.openapi.parameters` describes them.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    scope: KeyScope | None = KeyScope.MANAGE
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    replies: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    needs_links: bool = False
    headers: tuple[str, ...] = ()
