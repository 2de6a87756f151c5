"""The dashboard of an account with many events: each page opens, and is no larger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from models import Event
from models.ids import event_id_text
from pingpilot.events.history import EventStatus
from tests.http.api import serving
from tests.support.clock import ManualClock
from tests.support.many_events import fill

from .people import a_person

COUNT = 20_000
LARGEST = 100_000  # characters of a page, before it is packed


async def test_every_page_opens_at_once_with_many_events(sqlite: str, clock: ManualClock) -> None:
    clock.set_by(datetime.now(UTC) - clock.now())
    async with serving(clock) as api, a_person(api) as person:
        ada, eve = [
            (await api.sign_up(f"{name}@example.com", channels=["email"])).account for name in ("ada", "eve")
        ]
        fill(Path(sqlite.removeprefix("sqlite://")), [ada.id, ada.id, eve.id], COUNT, clock.now())
        await person.sign_in(ada)
        old = await Event.filter(account_id=ada.id).order_by("id").offset(100).first()
        assert old is not None
        day = f"{clock.now() - timedelta(days=60):%Y-%m-%d}"

        sizes, found = dict[str, int](), dict[str, int]()
        for path in (
            "/",
            "/events",
            f"/events/{event_id_text(old.id)}",
            f"/events?before={event_id_text(old.id)}",
            "/events?category=rare",
            "/events?category=none",
            *(f"/events?status={status}" for status in EventStatus),
            "/events?destination=ops",
            "/events?destination=telegram&status=FAILED",
            f"/events?category=bug&status=FAILED&from={day}",
            f"/events?destination=telegram&from={day}&to={day}",
            f"/events?text=lamps&from={day}&to={day}",
            "/events?text=nowhere",
            "/settings/categories",
            "/settings/keys",
            "/settings/sessions",
        ):
            page = await person.get(path)
            assert page.status == 200, path
            sizes[path], found[path] = len(page.text), page.text.count('class="said"')

    assert max(sizes.values()) < LARGEST, sizes
    nothing = {path for path, count in found.items() if "events?" in path and not count}
    assert nothing == {"/events?category=none", "/events?text=nowhere"}
