"""Web pages of other origins: they may send events, where the settings say so, and nothing else."""

import pytest

from api.cors import Cors
from models import KeyScope
from pingpilot.accounts.keys import KeyRights, create_key

from .api import EVENT, ON_SQLITE, Api, Program, Reply

pytestmark = ON_SQLITE

PAGE = "https://shop.example"
ASKING = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
}


@pytest.fixture
def open_api(api: Api) -> Api:
    """An API that takes events from the page."""
    api.services.cors = Cors((PAGE,))
    return api


@pytest.fixture
async def sender(open_api: Api) -> Program:
    """A program whose key may only send."""
    shop = await open_api.sign_up()
    _, key = await create_key(shop.account, "page", open_api.clock.now(), KeyRights(KeyScope.SEND, None))
    return Program(open_api, shop.account, key)


def allowed(reply: Reply) -> str | None:
    return reply.headers.get("Access-Control-Allow-Origin")


@pytest.mark.parametrize("path", [EVENT, f"{EVENT}s"])
async def test_a_browser_that_asks_first_is_told_what_it_may_send(open_api: Api, path: str) -> None:
    reply = await open_api.call("OPTIONS", path, headers=ASKING)

    assert (reply.status, reply.text) == (204, "")
    assert (allowed(reply), reply.headers["Access-Control-Allow-Methods"]) == (PAGE, "POST")
    taken = reply.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "prefer", "x-api-key"} <= {*taken}
    assert reply.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_the_page_sends_and_may_read_the_reply_and_errors(sender: Program) -> None:
    sent = await sender.post(Origin=PAGE)
    refused = await sender.post({"category": "sales"}, Origin=PAGE)
    stranger = await sender.api.call("POST", EVENT, headers={"Origin": PAGE})

    assert (sent.status, refused.status, stranger.status) == (200, 404, 401)
    assert [allowed(each) for each in (sent, refused, stranger)] == [PAGE] * 3
    assert "X-Request-Id" in sent.headers["Access-Control-Expose-Headers"]


async def test_a_key_that_may_manage_is_refused_in_a_page(open_api: Api) -> None:
    shop = await open_api.sign_up()

    reply = await shop.post(Origin=PAGE)
    elsewhere = await shop.post()

    assert reply.verdict == (403, "insufficient_scope")
    assert "scope 'send'" in reply.body["message"]
    assert elsewhere.status == 200


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (EVENT, {"Origin": "https://evil.example"}),
        (EVENT, {"Origin": "null"}),
        (EVENT, {"Access-Control-Request-Method": "DELETE"}),
        (f"{EVENT}s", {"Access-Control-Request-Method": "GET"}),
        ("/api/v1/keys", {}),
        ("/api/v1/account", {"Access-Control-Request-Method": "PATCH"}),
    ],
)
async def test_nothing_else_is_allowed(open_api: Api, path: str, changes: dict[str, str]) -> None:
    reply = await open_api.call("OPTIONS", path, headers={**ASKING, **changes})

    assert reply.verdict == (405, "method_not_allowed")
    assert allowed(reply) is None


async def test_events_can_not_be_read_from_a_page(sender: Program) -> None:
    reply = await sender.call("GET", f"{EVENT}s", headers={"Origin": PAGE})

    assert allowed(reply) is None


async def test_any_origin_may_be_allowed(api: Api) -> None:
    api.services.cors = Cors(("*",))

    reply = await api.call("OPTIONS", EVENT, headers={**ASKING, "Origin": "http://localhost:3000"})

    assert (reply.status, allowed(reply)) == (204, "http://localhost:3000")


async def test_it_is_off_by_default(api: Api) -> None:
    asked = await api.call("OPTIONS", EVENT, headers=ASKING)
    shop = await api.sign_up()
    sent = await shop.post(Origin=PAGE)

    assert asked.verdict == (405, "method_not_allowed")
    assert (sent.status, allowed(sent), "Vary" in sent.headers) == (200, None, False)
