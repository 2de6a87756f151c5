"""Who may call: API keys in the Authorization header."""

from base64 import b64encode

import pytest

from models import Plan
from pingpilot.accounts.keys import create_key, revoke_key

from .api import EVENT, ON_SQLITE, Api, Program

pytestmark = ON_SQLITE

UNKNOWN_KEY = f"pp_{'0' * 43}"
NOT_BEARER = [
    "Basic dXNlcg==",
    "Basic not base64",
    "Basic ü",
    "Basic /////w==",
    "Digest username=x",
    UNKNOWN_KEY,
    "",
    "Bearer two words",
    f"Bearer {UNKNOWN_KEY} {UNKNOWN_KEY}",
]
NO_KEY_OF_OURS = [
    "Basic dXNlcjpwYXNz",
    "Basic dXNlcjo=",
    "Bearer",
    "Bearer ",
    f"Bearer {UNKNOWN_KEY}",
    "Bearer pp_short",
    "Bearer sk_ключ",
]


async def test_a_call_without_authorization_is_told_what_to_send(api: Api) -> None:
    reply = await api.call("POST", EVENT)

    assert reply.verdict == (401, "missing_authorization")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer" in reply.body["message"]


@pytest.mark.parametrize("authorization", NOT_BEARER)
async def test_an_authorization_that_is_no_bearer_key_is_refused(api: Api, authorization: str) -> None:
    reply = await api.call("POST", EVENT, headers={"Authorization": authorization})

    assert reply.verdict == (401, "invalid_authorization_format")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("authorization", NO_KEY_OF_OURS)
async def test_a_key_that_is_empty_malformed_or_unknown_is_refused(api: Api, authorization: str) -> None:
    reply = await api.call("POST", EVENT, headers={"Authorization": authorization})

    assert reply.verdict == (401, "invalid_api_key")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("change", ["last", "first", "shorter", "longer", "case"])
async def test_a_key_must_match_in_every_character(shop: Program, change: str) -> None:
    key = shop.key
    changed = {
        "last": key[:-1] + ("a" if key[-1] != "a" else "b"),
        "first": "pp_" + ("a" if key[3] != "a" else "b") + key[4:],
        "shorter": key[:-1],
        "longer": key + "a",
        "case": key.swapcase(),
    }[change]

    reply = await Program(shop.api, shop.account, changed).post()

    assert reply.verdict == (401, "invalid_api_key")


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", "  Bearer {}  "])
async def test_the_scheme_is_read_generously(shop: Program, form: str) -> None:
    reply = await shop.api.call("GET", "/api/v1/quota", headers={"Authorization": form.format(shop.key)})

    assert reply.status == 200


@pytest.mark.parametrize("user", ["", "alice", "a b"])
async def test_a_key_may_be_the_password_of_basic_authentication(shop: Program, user: str) -> None:
    said = b64encode(f"{user}:{shop.key}".encode()).decode()

    reply = await shop.api.call("GET", "/api/v1/quota", headers={"Authorization": f"Basic {said}"})

    assert reply.status == 200


async def test_a_key_in_the_user_names_place_is_told(shop: Program) -> None:
    said = b64encode(f"{shop.key}:".encode()).decode()

    reply = await shop.api.call("GET", "/api/v1/quota", headers={"Authorization": f"Basic {said}"})

    assert reply.verdict == (401, "invalid_authorization_format")
    assert "give the key as the password" in reply.body["message"]


@pytest.mark.parametrize("beside", [{}, {"Authorization": "Basic cHJveHk6cHJveHk="}])
async def test_a_key_may_come_as_x_api_key_whatever_a_proxy_wants(
    shop: Program, beside: dict[str, str]
) -> None:
    reply = await shop.api.call("GET", "/api/v1/quota", headers={"X-API-Key": shop.key, **beside})
    wrong = await shop.api.call("GET", "/api/v1/quota", headers={"X-API-Key": UNKNOWN_KEY, **beside})

    assert reply.status == 200
    assert wrong.verdict == (401, "invalid_api_key")


@pytest.mark.parametrize("name", ["key", "token", "api_key"])
async def test_a_key_in_the_address_is_refused_with_what_to_do(shop: Program, name: str) -> None:
    reply = await shop.api.call("POST", f"{EVENT}?{name}={shop.key}", data=b'{"category": "sale"}')

    assert reply.verdict == (401, "missing_authorization")
    assert "not taken from the address" in reply.body["message"]
    assert shop.key not in reply.text
    assert await shop.stored_events() == 0


async def test_a_key_revoked_just_now_is_refused_while_another_goes_on(shop: Program) -> None:
    _, second = await create_key(shop.account, "second", shop.api.clock.now())
    before = await shop.post()

    await revoke_key(shop.account, "default", shop.api.clock.now())

    after = await shop.post()
    other = await Program(shop.api, shop.account, second).post()
    assert before.status == 200
    assert after.verdict == (401, "invalid_api_key")
    assert other.status == 200


async def test_each_key_speaks_for_its_own_account(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com", plan=Plan.PRO)

    await bakery.post()

    assert (await shop.stored_events(), await bakery.stored_events()) == (0, 1)
