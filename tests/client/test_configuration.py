"""Address and key: what is refused, and that the key stays out of everything people read."""

import logging
import subprocess
import sys
import traceback
from typing import Any

import pytest

from pingpilot.client import AsyncClient, Client, ClientError, NotConfigured, Unreachable
from pingpilot.sandbox.faults import Fault

from .conftest import Connect
from .flaky import FlakyPingPilot

KEY = "pp_" + "k" * 43
URL = "http://127.0.0.1:8080"
FOREIGN = {"aiohttp", "api", "asyncpg", "bots", "discord", "models", "pydantic", "telegram", "tortoise"}
LOADED = f"""
import sys, pingpilot.client
ours = {{name for name in sys.modules if name.startswith("pingpilot.")}}
print([name for name in ours if not name.startswith("pingpilot.client")])
print([name for name in {sorted(FOREIGN)} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("url", "key", "variable"),
    [
        (None, KEY, "PINGPILOT_URL"),
        ("", KEY, "PINGPILOT_URL"),
        (" \n", KEY, "PINGPILOT_URL"),
        ("127.0.0.1:8080", KEY, "PINGPILOT_URL"),
        ("ping.example.com", KEY, "PINGPILOT_URL"),
        ("ftp://ping.example.com", KEY, "PINGPILOT_URL"),
        ("http://", KEY, "PINGPILOT_URL"),
        ("http://host:99999999", KEY, "PINGPILOT_URL"),
        ("http://a..b", KEY, "PINGPILOT_URL"),
        ("http://[::1", KEY, "PINGPILOT_URL"),
        ("http://user:password@host", KEY, "PINGPILOT_URL"),
        ("http://host?a=b", KEY, "PINGPILOT_URL"),
        ("http://host#a", KEY, "PINGPILOT_URL"),
        (URL, None, "PINGPILOT_API_KEY"),
        (URL, "", "PINGPILOT_API_KEY"),
        (URL, " \n", "PINGPILOT_API_KEY"),
        (URL, f"{KEY}\nX-Evil: 1", "PINGPILOT_API_KEY"),
        (URL, f"{KEY} {KEY}", "PINGPILOT_API_KEY"),
        (URL, f"{KEY}…", "PINGPILOT_API_KEY"),
    ],
)
def test_what_can_not_be_used_is_told_with_its_variable(
    kind: type[Client] | type[AsyncClient], url: str | None, key: str | None, variable: str
) -> None:
    with pytest.raises(NotConfigured, match=variable) as failure:
        kind(url, key)

    assert KEY not in str(failure.value)
    assert "password" not in str(failure.value)


@pytest.mark.parametrize("url", [URL, f"{URL}/", f" {URL}//\n", "https://ping.example.com/behind/a/path/"])
def test_an_address_may_end_in_white_space_and_slashes(
    kind: type[Client] | type[AsyncClient], url: str
) -> None:
    client = kind(url, KEY)

    assert repr(client) == f"<{kind.__name__} {url.strip().rstrip('/')}>"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"idempotency_key": ""}, "idempotency key"),
        ({"idempotency_key": "a b"}, "idempotency key"),
        ({"idempotency_key": "a" * 256}, "idempotency key"),
        ({"idempotency_key": "a\r\nX-Evil: 1"}, "idempotency key"),
        ({"wait": 0}, "1 to 30 seconds"),
        ({"wait": 31}, "1 to 30 seconds"),
        ({"fields": {"amount": float("nan")}}, "finite"),
        ({"fields": {"when": object()}}, "texts"),
    ],
)
async def test_what_no_request_can_hold_is_a_value_error(
    connect: Connect, flaky: FlakyPingPilot, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        await connect(flaky.url, KEY).send(**options)

    assert flaky.requests == []


async def test_the_key_is_in_no_log_no_repr_and_no_traceback(
    connect: Connect, flaky: FlakyPingPilot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    flaky.misbehave([Fault.drop(), Fault.error(502, "Bad gateway"), Fault.hang()])
    flaky.refuse(401, "invalid_api_key")
    caller = connect(flaky.url, KEY, timeout=1)

    with pytest.raises(ClientError) as refused:
        await caller.send()
    await flaky.stop()
    with pytest.raises(Unreachable) as away:
        await connect(flaky.url, KEY, give_up_after=0.2).send()

    shown = [caplog.text, repr(caller.client), *map(repr, vars(caller.client).values())]
    shown += [everything_of(refused.value), everything_of(away.value)]
    assert "httpcore" in caplog.text
    assert len(flaky.keys) == 4
    assert [KEY in text for text in shown] == [False] * len(shown)


def test_the_client_brings_in_no_other_part_and_no_heavy_library() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["[]", "[]"]


def everything_of(error: BaseException) -> str:
    """Return the traceback with all local variables, as some log formatters and services show it."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format(chain=True))
