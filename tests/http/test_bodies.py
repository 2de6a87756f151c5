"""Bodies before their content counts: size, encoding, JSON."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from .api import EVENT, ON_SQLITE, Program

pytestmark = ON_SQLITE

LIMIT = 64 * 1024
GOOD = b'{"category": "sale"}'

NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "a word": b"sale",
    "a form": b"category=sale",
    "truncated": b'{"category": "sale"',
    "unfinished text": b'{"category": "sa',
    "two values": GOOD * 2,
    "a trailing comma": b'{"category": "sale",}',
    "single quotes": b"{'category': 'sale'}",
    "a raw line break in a text": b'{"category": "sale", "description": "a\nb"}',
    "NaN": b'{"category": "sale", "fields": {"a": NaN}}',
    "Infinity": b'{"category": "sale", "fields": {"a": Infinity}}',
    "-Infinity": b'{"category": "sale", "fields": {"a": -Infinity}}',
    "bad UTF-8": b'{"category": "\xff"}',
    "a surrogate in UTF-8": b'{"category": "sale", "description": "\xed\xa0\x80"}',
    "UTF-16": GOOD.decode().encode("utf-16"),
    "nesting without end": b"[" * 60_000,
    "objects without end": b'{"a":' * 10_000,
}


def padded(size: int) -> bytes:
    return GOOD.ljust(size)


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Give a body whose length isn't known, so that it is sent in chunks."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


async def test_a_body_of_64_kib_is_taken(shop: Program) -> None:
    reply = await shop.send(padded(LIMIT))

    assert reply.status == 200


async def test_a_chunked_body_of_64_kib_is_taken(shop: Program) -> None:
    reply = await shop.send(in_pieces(padded(LIMIT)))

    assert reply.status == 200


async def test_one_byte_more_is_too_large(shop: Program) -> None:
    reply = await shop.send(padded(LIMIT + 1))

    assert reply.verdict == (413, "payload_too_large")
    assert "64 KiB" in reply.body["message"]
    assert await shop.charged_events() == 0


async def test_a_chunked_body_is_too_large_by_one_byte_too(shop: Program) -> None:
    reply = await shop.send(in_pieces(padded(LIMIT + 1)))

    assert reply.verdict == (413, "payload_too_large")
    assert await shop.charged_events() == 0


async def test_a_body_announced_too_large_is_refused_before_it_is_sent(shop: Program) -> None:
    head = f"POST {EVENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.key}"
    request = f"{head}\r\nContent-Length: {10**15}\r\n\r\n"

    first_line = await shop.api.first_line_for(request.encode())

    assert first_line == "HTTP/1.1 413 Request Entity Too Large"


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(shop: Program) -> None:
    reply = await shop.send(GOOD, Expect="100-continue")

    assert reply.status == 200


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body_is_unpacked(shop: Program, encoding: str, compress: Any) -> None:
    reply = await shop.send(compress(GOOD), Content_Encoding=encoding)

    assert reply.status == 200


async def test_a_small_body_that_unpacks_to_a_large_one_is_too_large(shop: Program) -> None:
    bomb = gzip.compress(padded(50_000_000))

    reply = await shop.send(bomb, Content_Encoding="gzip")

    assert len(bomb) < LIMIT
    assert reply.verdict == (413, "payload_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "nonsense", ""])
async def test_a_body_that_is_not_in_its_content_encoding_is_not_read(shop: Program, encoding: str) -> None:
    refused = await shop.send(GOOD, Content_Encoding=encoding)

    following = await shop.post()
    assert refused.verdict == (400, "invalid_json")
    assert "Content-Encoding" in refused.body["message"]
    assert "\n" not in refused.body["message"]
    assert following.status == 200


@pytest.mark.parametrize(
    "body",
    [gzip.compress(GOOD)[:-10], gzip.compress(GOOD) + b"more", b""],
    ids=["cut off", "followed by more", "empty"],
)
async def test_a_compressed_body_must_be_whole(shop: Program, body: bytes) -> None:
    reply = await shop.send(body, Content_Encoding="gzip")

    assert reply.verdict == (400, "invalid_json")


@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_is_not_json_is_refused(shop: Program, name: str) -> None:
    reply = await shop.send(NOT_JSON[name])

    assert reply.verdict == (400, "invalid_json")
    assert await shop.charged_events() == 0


async def test_the_place_of_a_fault_is_told(shop: Program) -> None:
    reply = await shop.send(b'{\n  "category": "sale",\n  "fields": {"a" 1}\n}')

    assert (reply.body["line"], reply.body["column"]) == (3, 18)
    assert "line 3, column 18" in reply.body["message"]


async def test_an_empty_body_is_called_empty(shop: Program) -> None:
    reply = await shop.send(b"")

    assert "empty" in reply.body["message"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"]
)
async def test_the_content_type_makes_no_difference(shop: Program, content_type: str) -> None:
    reply = await shop.send(json.dumps({"category": "sale"}).encode(), Content_Type=content_type)

    assert reply.status == 200


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_utf_16_is_named_also_without_a_byte_order_mark(shop: Program, encoding: str) -> None:
    reply = await shop.send(GOOD.decode().encode(encoding))

    assert "UTF-16: send it as UTF-8" in reply.body["message"]


async def test_a_raw_line_break_in_a_text_is_told_with_its_place(shop: Program) -> None:
    reply = await shop.send(NOT_JSON["a raw line break in a text"])

    assert "Invalid control character at line 1, column 39" in reply.body["message"]


async def test_a_byte_order_mark_does_no_harm(shop: Program) -> None:
    reply = await shop.send(b"\xef\xbb\xbf" + GOOD)

    assert reply.status == 200


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"category=sale&description=Sold", "is a form"),
        (b"category=sale", "is a form"),
        (b"--X1\r\nContent-Disposition: form-data; name=category\r\n\r\nsale\r\n--X1--", "is a form"),
        (b"Backup finished", "is plain text"),
        (b"<event/>", "is plain text"),
        (b"{category: sale}", "double quotes are missing"),
        (b"'{category: sale}'", "double quotes are missing"),
        (b"{'category': 'sale'}", "double quotes are missing"),
        (b'{\\"category\\": \\"sale\\"}', "double quotes are missing"),
        ("{“category”: “sale”}".encode(), "double quotes are missing"),
        (b'{"category": "sale"', "line 1, column 20"),
    ],
)
async def test_the_likely_cause_is_told_with_a_body_that_works(
    shop: Program, body: bytes, cause: str
) -> None:
    reply = await shop.send(body, Content_Type="application/x-www-form-urlencoded")

    assert reply.verdict == (400, "invalid_json")
    assert cause in reply.body["message"]
    _, _, example = reply.body["message"].partition("A body that works: ")
    assert (await shop.send(example.encode())).status == 200
