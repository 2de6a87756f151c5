"""The document as programs that make clients of it read it."""

import json
import sys
from pathlib import Path
from typing import Any

from api.app import CALLS
from api.openapi.document import build
from tests.http.api import serving
from tests.support.clock import ManualClock
from tests.support.daemon import execute

DOCUMENT = build(CALLS)
SENDS = """
import os
from generated import AuthenticatedClient
from generated.api.events import get_event, post_event
from generated.models import EventBody, EventBodyFieldsType0

with AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["KEY"]) as client:
    fields = EventBodyFieldsType0.from_dict({"amount": 99.99})
    body = EventBody(category="sale", title="Order 1042", url="https://shop.example/1042", fields=fields)
    accepted = post_event.sync(client=client, body=body)
    event = get_event.sync(accepted.event_id, client=client)
    print(event.title, event.url, event.fields.to_dict())
"""


async def test_a_generated_python_client_sends(sqlite: str, clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT))
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")
    words = ("generate", "--path", "openapi.json", "--config", "config.yaml", "--meta", "none")

    made = await execute(
        *(sys.executable, "-m", "openapi_python_client", *words, "--output-path", "generated"),
        "--fail-on-warning",
        settings={},
        folder=tmp_path,
    )
    async with serving(clock) as api:
        shop = await api.sign_up()
        settings = {"URL": api.url, "KEY": shop.key, "PYTHONPATH": str(tmp_path)}
        sent = await execute(sys.executable, "-c", SENDS, settings=settings, folder=tmp_path)

    assert made.code == 0, made.out + made.err
    assert (sent.code, sent.err) == (0, "")
    assert sent.out == "Order 1042 https://shop.example/1042 {'amount': 99.99}\n"


def test_a_servers_address_ends_in_no_slash() -> None:
    assert [server["url"] for server in DOCUMENT["servers"]] == ["."]


def test_every_array_says_what_is_in_it() -> None:
    arrays = [each for each in every_object(DOCUMENT) if each.get("type") == "array"]

    assert arrays
    assert all("items" in each for each in arrays)


def test_every_component_is_used() -> None:
    text = json.dumps(DOCUMENT)

    unused = [
        f"{kind}/{name}"
        for kind in ("schemas", "headers", "parameters")
        for name in DOCUMENT["components"][kind]
        if f'"#/components/{kind}/{name}"' not in text
    ]

    assert not unused


def every_object(value: Any) -> list[dict[str, Any]]:
    """Return all objects in a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [each for part in inner for each in every_object(part)]
    return [value, *found] if isinstance(value, dict) else found
