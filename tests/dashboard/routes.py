"""Every route of the dashboard with a request that means something, for tests that run over all of them.

A route without a row makes them fail: a new page is attacked, read by axe and crawled from its first day.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aiohttp import web

from api.dashboard.assets import asset_url
from models import (
    Account,
    ApiKey,
    AttemptOutcome,
    Category,
    Delivery,
    DeliveryAttempt,
    Destination,
    DestinationKind,
    Event,
    KeyScope,
    Session,
)
from models.ids import event_id_text, uuid7
from pingpilot.accounts.email_change import EmailChanges
from pingpilot.accounts.keys import KeyRights, create_key
from pingpilot.accounts.mailboxes import Mailboxes
from pingpilot.accounts.sessions import begin_session
from pingpilot.accounts.sign_in import new_sign_in_link
from pingpilot.accounts.sign_up import Newcomers, SignUp, new_sign_up_link
from tests.http.api import Api

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How a route is asked. `path` and `form` may hold `{names}` of `furnish`.

    `is_open`: it answers those who are not signed in, too. `by_link`: what its address holds is the right to
    do what it does, so that any page's button may do it. `is_page`: a person looks at it.
    """

    path: str
    form: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    is_open: bool = False
    by_link: bool = False
    is_page: bool = True

    @property
    def names_something(self) -> bool:
        """Whether it is asked about a thing of one account."""
        return not self.by_link and "{" in self.path + "".join(self.form.values())


ROUTES: Mapping[str, Row] = {
    "GET /": Row(path="/", is_open=True),
    "POST /": Row(path="/", form={"do": "key"}),
    "GET /assets/{mark}/{name}": Row(path="/{asset}", is_open=True, by_link=True, is_page=False),
    "GET /events": Row(path="/events"),
    "GET /events/{event_id}": Row(path="/events/{event}"),
    "GET /events/{event_id}/mail": Row(path="/events/{event}/mail", is_page=False),  # within another page
    "POST /events/{event_id}/retry": Row(path="/events/{event}/retry", form={"delivery": "{delivery}"}),
    "GET /categories/{name}": Row(path="/categories/{category}"),
    "GET /categories/{name}/events.csv": Row(path="/categories/{category}/events.csv", is_page=False),
    "GET /live": Row(path="/live", is_page=False),
    "GET /sign-in": Row(path="/sign-in", is_open=True),
    "POST /sign-in": Row(path="/sign-in", form={"email": "nobody@example.com"}, is_open=True),
    "GET /sign-in/{token}": Row(path="/sign-in/{sign_in}", is_open=True, by_link=True),
    "POST /sign-in/{token}": Row(path="/sign-in/{sign_in}", is_open=True),
    "GET /sign-up/{token}": Row(path="/sign-up/{sign_up}", is_open=True, by_link=True),
    "POST /sign-up/{token}": Row(path="/sign-up/{sign_up}", is_open=True),
    "POST /sign-out": Row(path="/sign-out"),
    "GET /settings": Row(path="/settings", is_page=False),
    "GET /settings/destinations": Row(path="/settings/destinations"),
    "POST /settings/destinations": Row(
        path="/settings/destinations", form={"do": "mute", "name": "{destination}", "for": "1h"}
    ),
    "GET /settings/account": Row(path="/settings/account"),
    "POST /settings/account": Row(
        path="/settings/account", form={"do": "preferences", "zone": "Europe/Berlin"}
    ),
    "POST /settings/account/export": Row(path="/settings/account/export", is_page=False),
    "GET /operator": Row(path="/operator"),
    "POST /operator": Row(path="/operator", form={"do": "examine"}),
    "GET /operator/accounts": Row(path="/operator/accounts"),
    "POST /operator/accounts": Row(
        path="/operator/accounts", form={"do": "plan", "account": "{account}", "plan": "pro"}
    ),
    "GET /settings/categories": Row(path="/settings/categories"),
    "POST /settings/categories": Row(
        path="/settings/categories", form={"do": "delete", "name": "{category}"}
    ),
    "GET /settings/keys": Row(path="/settings/keys"),
    "POST /settings/keys": Row(path="/settings/keys", form={"do": "rotate", "key": "{key}", "overlap": "0"}),
    "GET /settings/sessions": Row(path="/settings/sessions"),
    "POST /settings/sessions": Row(path="/settings/sessions", form={"session": "{session}"}),
    "GET /unsubscribe/{token}": Row(path="/unsubscribe/{unsubscribe}", is_open=True, by_link=True),
    "POST /unsubscribe/{token}": Row(path="/unsubscribe/{unsubscribe}", is_open=True, by_link=True),
    "GET /confirm-email/{token}": Row(path="/confirm-email/{email_change}", is_open=True, by_link=True),
    "POST /confirm-email/{token}": Row(path="/confirm-email/{email_change}", is_open=True, by_link=True),
    "GET /confirm-mailbox/{token}": Row(path="/confirm-mailbox/{mailbox}", is_open=True, by_link=True),
    "POST /confirm-mailbox/{token}": Row(path="/confirm-mailbox/{mailbox}", is_open=True, by_link=True),
}
"""Rows by method and path. One whose thing has an id also goes into `furnish`."""


def routes_of(app: web.Application) -> Iterator[str]:
    """Return the routes that the dashboard's handlers answer, as `ROUTES` names them."""
    for route in app.router.routes():
        is_ours = route.handler.__module__.startswith("api.dashboard")
        if is_ours and route.resource and route.method != "HEAD":
            yield f"{route.method} {route.resource.canonical}"


def rows(method: str, *, pages: bool = False) -> dict[str, Row]:
    """Return the rows of a method, or those of its pages alone."""
    return {
        name: row
        for name, row in ROUTES.items()
        if name.startswith(f"{method} ") and (row.is_page or not pages)
    }


async def furnish(api: Api, account: Account, text: str, *, events: int = 1) -> dict[str, str]:
    """Give an account one of everything, `text` wherever it holds free text; return the things' ids.

    It goes straight into the tables, past all rules: what they let through tomorrow has to be safe today.
    """
    now = api.clock.now()
    name = f"own-{account.id}"
    category = await Category.create(
        account_id=account.id, name=name, color="#112233", emoji=text[:64], urgent=True, created_at=now
    )
    key, _ = await create_key(account, "own", now, KeyRights(KeyScope.SEND, [category.name]))
    await ApiKey.filter(id=key.id).update(name=text[:64])
    place = {"account_id": account.id, "enabled": True, "username": text[:64]}
    await Destination.create(
        **place, channel="telegram", kind=DestinationKind.ROOM, name=f"room-{account.id}", title=text[:256],
        address="-1", suspended_reason=text,
    )  # fmt: skip
    await Destination.filter(account_id=account.id, name="telegram").update(**place, address="1", user_id="1")
    mailbox = await Destination.create(
        **place, channel="email", kind=DestinationKind.MAILBOX, name=f"team-{account.id}", title=text[:256],
        address=None,
    )  # fmt: skip
    session = await begin_session(account, browser="", address="", now=now)
    row = await Session.filter(account_id=account.id).order_by("-id").first()
    assert session
    assert row is not None
    await Session.filter(id=row.id).update(browser=text[:64], address=text[:64])
    for _ in range(events):
        event = await Event.create(
            id=uuid7(), account_id=account.id, category=category.name, title=text, description=text,
            url="https://example.com/", fields_json=json.dumps({text[:256]: text, "amount": 1.5}),
            created_at=now,
        )  # fmt: skip
        delivery = await Delivery.create(
            event_id=event.id, account_id=account.id, channel="email", destination="email",
            status="failed", attempts=1, last_error=text,
        )  # fmt: skip
        await DeliveryAttempt.create(
            delivery_id=delivery.id, started_at=now, duration_ms=12, reason=text,
            outcome=AttemptOutcome.FAILED,
        )  # fmt: skip
    _, email_change = await (await EmailChanges.load()).prepare(account, f"new-{account.id}@example.com", now)
    link = (await new_sign_in_link(account, "", now)).url
    api.services.newcomers = Newcomers(SignUp.OPEN)
    invitation = await new_sign_up_link(f"new-{account.id}@example.com", "", now)
    return {
        "account": str(account.id),
        "destination": f"room-{account.id}",
        "sign_up": invitation.url.rpartition("/")[2],
        "asset": asset_url("pingpilot.css"),
        "event": event_id_text(event.id),
        "delivery": str(delivery.id),
        "category": category.name,
        "key": str(key.id),
        "session": str(row.id),
        "sign_in": link.rpartition("/")[2],
        "unsubscribe": api.services.unsubscriber.url_for(account.id).rpartition("/")[2],
        "email_change": email_change,
        "mailbox": (await Mailboxes.load()).url_for(mailbox, "", now).rpartition("/")[2],
    }


def filled(row: Row, ids: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a row's path and form with these ids in them."""
    return row.path.format(**ids), {name: value.format(**ids) for name, value in row.form.items()}
