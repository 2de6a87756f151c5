"""Categories on the dashboard: made, changed and deleted by the same rules as anywhere."""

import pytest

from models import Account, Category, KeyScope
from pingpilot.accounts.keys import KeyRights, create_key
from tests.http.api import ON_SQLITE
from tests.support.clock import ManualClock

from .people import Person, text_of

PATH = "/settings/categories"
WHITE = {"color": "#ffffff"}
LOOKS = {
    "color": "#00ff7f",
    "emoji": "🚀",
    "urgent": "on",
    "route": "some",
    "to:email": "on",
    "fallback": "email",
}


async def test_a_category_is_made_changed_and_deleted(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    made = await person.post(PATH, {"do": "create", "name": "deploy", **LOOKS})
    first = await Category.get(account_id=ada.id, name="deploy")
    await person.post(PATH, {"do": "change", "name": "deploy", "color": "#FFFFFF", "route": "all"})
    second = await Category.get(account_id=ada.id, name="deploy")
    await person.post(PATH, {"do": "delete", "name": "deploy"})

    assert (made.status, made.headers["Location"]) == (303, "../settings/categories")
    assert (first.color, first.emoji, first.urgent) == ("#00ff7f", "🚀", True)
    assert (first.channels, first.fallback) == ("email", "email")
    assert (second.color, second.emoji, second.urgent) == ("#ffffff", None, False)
    assert second.channels is None
    assert second.fallback is None
    assert not await Category.exists(account_id=ada.id, name="deploy")


async def test_another_accounts_categories_are_out_of_reach(
    person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    await Category.create(account_id=ada.id, name="secret", color="#000000", created_at=clock.now())
    await person.sign_in(eve)

    answers = [
        await person.post(PATH, {"do": do, "name": "secret", "color": "#ffffff"})
        for do in ("change", "delete")
    ]

    assert [each.status for each in answers] == [400, 400]
    assert (await Category.get(name="secret")).color == "#000000"
    assert "#000000" not in (await person.get(PATH)).text


async def test_what_deleting_means_is_said(person: Person, ada: Account, clock: ManualClock) -> None:
    await create_key(ada, "till", clock.now(), KeyRights(KeyScope.SEND, ["sale"]))
    await person.sign_in(ada)

    page = text_of(await person.get(PATH))

    assert "Programs that send 'sale' are refused from then on." in page
    assert "The key till may send it and little else." in page


@ON_SQLITE
@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"do": "create", "name": "New User", **WHITE}, "A category's name is 1 to 64 of a-z"),
        ({"do": "create", "name": "sale", **WHITE}, "There is a category 'sale' already"),
        ({"do": "create", "name": "x", "color": "red"}, "A category's colour is '#' and six"),
        ({"do": "create", "name": "x", **WHITE, "emoji": "ab"}, "A category's emoji is one emoji"),
        ({"do": "change", "name": "sale", **WHITE, "route": "some"}, "at least one destination"),
        (
            {"do": "change", "name": "sale", **WHITE, "fallback": "ops"},
            "'ops' is not a destination",
        ),
        ({"do": "change", "name": "sales", **WHITE}, "did you mean 'sale'?"),
        ({"do": "delete", "name": ""}, "There is no category ''"),
    ],
)
async def test_what_can_not_be_done_is_said_and_changes_nothing(
    person: Person, ada: Account, form: dict[str, str], says: str
) -> None:
    await person.sign_in(ada)
    before = await Category.filter(account_id=ada.id).order_by("id").values()

    answer = await person.post(PATH, form)

    assert answer.status == 400
    assert says in text_of(answer)
    assert await Category.filter(account_id=ada.id).order_by("id").values() == before
