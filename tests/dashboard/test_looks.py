"""An event's page shows how it looks on each platform."""

import json

from models import Account, Destination, Event
from models.ids import event_id_text
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock

from .people import Person, text_of

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


async def an_event(account: Account, clock: ManualClock, category: str = "sale", **fields: object) -> str:
    """Store an event that looks like much; return its page's path."""
    event = await Event.create(
        account_id=account.id,
        category=category,
        title="Order 42",
        url="https://shop.example/42",
        description="Somebody bought a *lamp* 💡\n\n```\nTraceback\n```",
        fields_json=json.dumps(fields),
        created_at=clock.now(),
    )
    return f"/events/{event_id_text(event.id)}"


async def test_an_event_is_shown_as_each_platform_shows_it(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await Destination.create(
        account_id=ada.id,
        channel="discord",
        kind="room",
        name="ops",
        enabled=True,
        address="7",
        mention="here",
    )
    path = await an_event(ada, clock, amount=99.99, recurring=True)

    page = await person.get(path)
    mail = await person.get(f"{path}/mail")

    text = text_of(page)
    for platform in (
        "Discord PingPilot APP",
        "Telegram PingPilot",
        "E-mail 💰 Order 42",
        "Webhook Content-Type",
    ):
        assert platform in text
    assert "@here" in text
    assert text.count("Somebody bought a *lamp* 💡") >= 4
    assert '"amount": 99.99' in text
    assert f'src="{path[8:]}/mail"' in page.text
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'; frame-src 'self'")
    assert mail.status == 200
    assert "Somebody bought a *lamp* 💡" in text_of(mail)
    assert "script-src" not in mail.headers["Content-Security-Policy"]
    assert mail.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "frame-ancestors 'self'" in mail.headers["Content-Security-Policy"]
    assert "/unsubscribe" not in mail.text


@ON_SQLITE
async def test_a_mail_is_shown_to_its_account_alone(
    api: Api, person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    path = f"{await an_event(ada, clock)}/mail"

    assert (await person.get(path)).status == 303  # to the sign-in page
    await person.sign_in(eve)
    others = await person.get(path)
    none = await person.get("/events/evt_00/mail")

    assert (others.status, none.status) == (404, 404)
    assert "lamp" not in others.text


@ON_SQLITE
async def test_whatever_an_event_says_is_shown_and_asks_nobody(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    fields: dict[str, object] = {f"{n} {HOSTILE}": HOSTILE * 60 for n in range(100)}
    path = await an_event(ada, clock, HOSTILE[:64], **fields)
    await Event.all().update(title=HOSTILE, url="http://nas/", description=HOSTILE * 100)

    for page in (await person.get(path), await person.get(f"{path}/mail")):
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
