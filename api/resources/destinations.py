"""`/api/v1/destinations`: the places an account's events go to, listed, added, changed, tried and removed."""

import re
from http import HTTPStatus

from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import invalid_request, read_body
from api.services import SERVICES
from api.shapes.destinations import (
    AddedDestination,
    DestinationBody,
    DestinationPatch,
    NewSecret,
    RemovedDestination,
    ShownDestination,
    ShownDestinations,
    TestedDestination,
)
from models import Account, DeliveryStatus, Destination, DestinationKind
from pingpilot.accounts.destinations import (
    NAME_PATTERN,
    change_destination,
    destinations_of,
    find_destination,
    remove_destination,
    rotate_secret,
)
from pingpilot.accounts.mailboxes import TooManyMails
from pingpilot.channels import CHANNELS, EMAIL
from pingpilot.delivery.confirming import ConfirmationNotSent, add_and_ask, ask_mailbox
from pingpilot.delivery.trying import obstacle_in_words, try_destination
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound, TooMany
from pingpilot.events.deliveries import trouble_of

DESTINATIONS, DESTINATION = "/api/v1/destinations", "/api/v1/destinations/{name}"
_AN_HOUR = 3600  # seconds


async def get_destinations(request: web.Request) -> web.Response:
    """Return all of the caller's destinations."""
    account, now = await _caller(request), request.app[SERVICES].clock.now()
    shown = [ShownDestination.of(each, now) for each in await destinations_of(account)]
    return json_reply(ShownDestinations(destinations=shown))


async def post_destination(request: web.Request) -> web.Response:
    """Add a webhook, or a mailbox, which is sent a link to confirm it."""
    account = await _caller(request)
    body = await read_body(request, DestinationBody)
    services, kind = request.app[SERVICES], CHANNELS[body.channel]
    now = services.clock.now()
    services.check_configured(kind.name)
    sender = services.mail_sender if kind is EMAIL else None
    try:
        address = services.check_address(kind, body.address)
        new = await add_and_ask(
            account, body.name, kind, address, sender=sender, base_url=services.base_url, now=now
        )
    except TooManyMails as exc:
        raise ApiError("too_many_requests/mailboxes", sentence=exc, wait=_AN_HOUR) from None
    except ConfirmationNotSent as exc:
        raise ApiError("confirmation_not_sent", address=exc.address, reason=exc.reason) from None
    except InvalidInput as exc:
        raise invalid_request(("address", str(exc))) from None
    except AlreadyExists as exc:
        raise ApiError("destination_exists", sentence=exc) from None
    except TooMany as exc:
        raise ApiError("too_many_destinations", sentence=exc) from None
    message = f"Events go to '{body.name}' from now on."
    if new.destination.kind == DestinationKind.MAILBOX:
        message = f"A link was sent to {new.destination.title}: events go there once it is opened."
    shown = ShownDestination.of(new.destination, now)
    once = {"secret": new.secret} if new.secret else {}
    added = AddedDestination(**shown.model_dump(by_alias=False), message=message, **once)
    headers = {"Location": DESTINATION.format(name=body.name), "Cache-Control": "no-store"}
    return json_reply(added, status=HTTPStatus.CREATED, headers=headers)


async def get_destination(request: web.Request) -> web.Response:
    """Return one destination."""
    destination = await _named(request, await _caller(request))
    return json_reply(ShownDestination.of(destination, request.app[SERVICES].clock.now()))


async def patch_destination(request: web.Request) -> web.Response:
    """Change what is sent of a destination, all of it or nothing."""
    account = await _caller(request)
    body = await read_body(request, DestinationPatch)
    destination, services = await _named(request, account), request.app[SERVICES]
    if body.enabled:  # where this daemon has no settings for the channel, its events would wait for ever
        services.check_configured(destination.channel)
    now = services.clock.now()
    try:
        changed = await change_destination(account, destination.name, body.change, now)
    except NotFound as exc:
        raise ApiError("not_found/destination", sentence=exc) from None
    except InvalidInput as exc:
        raise invalid_request(("mention", str(exc))) from None
    return json_reply(ShownDestination.of(changed, now))


async def delete_destination(request: web.Request) -> web.Response:
    """Remove a destination that is not direct; what waits for it fails, and goes to a fallback."""
    account, services = await _caller(request), request.app[SERVICES]
    destination = await _named(request, account)
    try:
        categories = await remove_destination(account, destination.name, services.clock.now())
    except NotFound as exc:
        raise ApiError("not_found/destination", sentence=exc) from None
    except InvalidInput as exc:
        raise ApiError("wrong_kind_of_destination", sentence=exc) from None
    services.on_deliveries({destination.channel})
    message = f"The destination '{destination.name}' is removed."
    if categories:
        names = ", ".join(f"'{name}'" for name in categories)
        message += f" The categories {names} name it still: change where their events go."
    return json_reply(RemovedDestination(message=message, name=destination.name, categories=categories))


async def post_test_notification(request: web.Request) -> web.Response:
    """Send a test notification through the queue, wait for it and tell how it went.

    A mailbox that is not confirmed yet is sent its link once more.
    """
    account, services = await _caller(request), request.app[SERVICES]
    destination = await _named(request, account)
    name = destination.name
    services.check_configured(destination.channel)
    if destination.is_unconfirmed:
        try:
            sender, url = services.mail_sender, services.base_url
            await ask_mailbox(account, destination, sender=sender, base_url=url, now=services.clock.now())
        except TooManyMails as exc:
            raise ApiError("too_many_requests/mailboxes", sentence=exc, wait=_AN_HOUR) from None
        except ConfirmationNotSent as exc:
            raise ApiError("confirmation_not_sent", address=exc.address, reason=exc.reason) from None
        message = f"{destination.title} is not confirmed yet: the link was sent there once more."
        return json_reply(TestedDestination(message=message, status="pending", last_error=None, attempts=0))
    how = "Get a code with POST /api/v1/link-codes first."
    if reason := obstacle_in_words(destination, linking=how):
        raise ApiError("destination_not_usable", name=name, reason=reason)
    try:
        delivery = await try_destination(
            destination,
            settlements=services.settlements,
            on_deliveries=services.on_deliveries,
            now=services.clock.now(),
        )
    except TooMany as exc:
        raise ApiError("too_many_requests/tests", sentence=exc, wait=_AN_HOUR) from None
    if delivery is None:  # the account was deleted meanwhile, and its keys with it
        raise ApiError("invalid_api_key")
    if delivery.status == DeliveryStatus.DELIVERED:
        status, message = "delivered", f"The test notification arrived at '{name}'."
    elif delivery.status == DeliveryStatus.FAILED:
        status, message = "failed", f"The test notification did not arrive at '{name}': see lastError."
    else:
        status, message = "pending", f"The test notification to '{name}' is on its way still"
        trouble = await trouble_of(delivery)
        message += f": {trouble}" if trouble else "."
    return json_reply(
        TestedDestination.model_validate(
            {
                "message": message,
                "status": status,
                "last_error": delivery.last_error,
                "attempts": delivery.attempts,
            }
        )
    )


async def post_rotate_secret(request: web.Request) -> web.Response:
    """Give a webhook a new secret; the former one signs beside it for a day."""
    account = await _caller(request)
    destination = await _named(request, account)
    try:
        new = await rotate_secret(account, destination.name, request.app[SERVICES].clock.now())
    except NotFound as exc:
        raise ApiError("not_found/destination", sentence=exc) from None
    except InvalidInput as exc:
        raise ApiError("wrong_kind_of_destination", sentence=exc) from None
    message = "Keep the secret: it is shown this once. The former one is good beside it for a day."
    shown = NewSecret(message=message, secret=new.secret, former_secret_until=new.former_until)
    return json_reply(shown, headers={"Cache-Control": "no-store"})


async def _caller(request: web.Request) -> Account:
    return await Account.get(id=(await authenticate(request)).account_id)


async def _named(request: web.Request, account: Account) -> Destination:
    """Return the account's destination of the name in the path."""
    name = request.match_info["name"]
    if not re.fullmatch(NAME_PATTERN, name):  # it may be any text
        raise ApiError("not_found/destination_name")
    try:
        return await find_destination(account, name)
    except NotFound as exc:
        raise ApiError("not_found/destination", sentence=exc) from None


CALLS = (
    Call(
        method="GET",
        path=DESTINATIONS,
        handler=get_destinations,
        tag="Destinations",
        summary="List the destinations",
        replies={200: ShownDestinations},
    ),
    Call(
        method="POST",
        path=DESTINATIONS,
        handler=post_destination,
        tag="Destinations",
        summary="Add a mailbox or a webhook",
        body=DestinationBody,
        replies={201: AddedDestination},
        errors=(
            "destination_exists",
            "too_many_destinations",
            "channel_not_configured",
            "confirmation_not_sent",
            "too_many_requests/mailboxes",
        ),
    ),
    Call(
        method="GET",
        path=DESTINATION,
        handler=get_destination,
        tag="Destinations",
        summary="Show a destination",
        replies={200: ShownDestination},
        errors=("not_found/destination", "not_found/destination_name"),
    ),
    Call(
        method="PATCH",
        path=DESTINATION,
        handler=patch_destination,
        tag="Destinations",
        summary="Change what is sent of a destination",
        body=DestinationPatch,
        replies={200: ShownDestination},
        errors=("not_found/destination", "not_found/destination_name", "channel_not_configured"),
    ),
    Call(
        method="DELETE",
        path=DESTINATION,
        handler=delete_destination,
        tag="Destinations",
        summary="Remove a destination",
        replies={200: RemovedDestination},
        errors=("not_found/destination", "not_found/destination_name", "wrong_kind_of_destination"),
    ),
    Call(
        method="POST",
        path=f"{DESTINATION}/test",
        handler=post_test_notification,
        tag="Destinations",
        summary="Send a test notification and tell how it went",
        replies={200: TestedDestination},
        errors=(
            "not_found/destination",
            "not_found/destination_name",
            "destination_not_usable",
            "channel_not_configured",
            "confirmation_not_sent",
            "too_many_requests/mailboxes",
            "too_many_requests/tests",
        ),
    ),
    Call(
        method="POST",
        path=f"{DESTINATION}/rotate-secret",
        handler=post_rotate_secret,
        tag="Destinations",
        summary="Give a webhook a new secret",
        replies={200: NewSecret},
        errors=("not_found/destination", "not_found/destination_name", "wrong_kind_of_destination"),
    ),
)
