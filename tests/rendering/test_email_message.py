import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pingpilot.delivery.channel import Notification
from pingpilot.email.markup import pieces
from pingpilot.email.message import build_message, subject_for, text_color_on
from pingpilot.email.sender import mailbox
from pingpilot.rendering.color import linear_rgb
from pingpilot.rendering.text import readable, readable_fields, title_of

from .strategies import notification, notifications

UNSUBSCRIBE = "https://ping.example/unsubscribe/" + "t0ken_" * 40 + "?a=1&b=2"


def built(note: Notification, **changes: str) -> bytes:
    arguments = {
        "sender": "PingPilot <ping@ping.example>",
        "recipient": "alice@example.com",
        "unsubscribe_url": UNSUBSCRIBE,
    }
    arguments |= changes
    return build_message(note, **arguments | {"sender": mailbox(arguments["sender"])})  # type: ignore[arg-type]


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


class Page(HTMLParser):
    """The cells and links of an e-mail's HTML, as a reader sees them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self._open: list[int] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "br":
            self.handle_data("\n")
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag in {"td", "th"}:
            self._open.append(len(self.cells))
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.cells[self._open[-1]] += data


def test_the_headers_say_who_what_and_when() -> None:
    message = parsed(built(notification("User upgraded\nto PRO")))

    assert message["From"] == "PingPilot <ping@ping.example>"
    assert message["To"] == "alice@example.com"
    assert message["Subject"] == "💰 Sale: User upgraded"
    assert message["Date"].datetime == datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
    assert message["Message-ID"] == "<01890a5dac96774bbcceb302099a8057.7@ping.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"


def test_mail_programs_find_the_one_click_unsubscribe_link() -> None:
    raw = built(notification())

    assert f"\r\nList-Unsubscribe: <{UNSUBSCRIBE}>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


def test_every_mail_server_can_take_it_as_seven_bit_text() -> None:
    raw = built(notification("Grüße"), unsubscribe_url="https://ping.example/u")

    assert raw.isascii()
    assert "\nGrüße\n" in text_of(parsed(raw), "plain")


@pytest.mark.parametrize(
    ("description", "encoding"), [("Grüße", "quoted-printable"), ("親愛なる皆様へ" * 40, "base64")]
)
def test_a_body_is_sent_in_the_encoding_that_is_shorter(description: str, encoding: str) -> None:
    part = parsed(built(notification(description), unsubscribe_url="https://ping.example/u")).get_body(
        ("plain",)
    )

    assert part is not None
    assert part["Content-Transfer-Encoding"] == encoding
    assert description in str(part.get_content())


def test_every_attempt_sends_the_same_bytes() -> None:
    note = notification("x" * 500, ("ü", "😀"))

    assert built(note) == built(note)


def test_the_plain_text_reads_well() -> None:
    text = text_of(parsed(built(notification("User upgraded", ("plan", "PRO"), ("amount", 49.99)))), "plain")

    assert text == (
        "💰 Sale\n\nUser upgraded\n\nplan: PRO\namount: 49.99\n\n-- \n"
        f"2026-11-23 08:05:00 UTC, evt_01890a5dac96774bbcceb302099a8057\nUnsubscribe: {UNSUBSCRIBE}\n"
    )


def test_the_html_has_a_coloured_head_the_text_and_a_table_of_fields() -> None:
    note = notification("One\nTwo", ("plan", "PRO"), color=0xFFEB3B)

    html = text_of(parsed(built(note)), "html")

    assert "background:#ffeb3b;color:#000000" in html
    assert "One<br>Two" in html
    page = Page(html)
    assert [cell.strip() for cell in page.cells if cell.strip()] == [
        "💰 Sale",
        "One\nTwo",
        "plan",
        "PRO",
        "2026-11-23 08:05:00 UTC\nevt_01890a5dac96774bbcceb302099a8057\nUnsubscribe from these e-mails",
    ]
    assert page.links == [UNSUBSCRIBE]


def test_the_html_loads_nothing_from_elsewhere() -> None:
    html = text_of(parsed(built(notification())), "html")

    assert Page(html).tags.isdisjoint({"img", "script", "link", "iframe"})
    assert "url(" not in html


def test_user_text_is_no_html() -> None:
    html = text_of(parsed(built(notification("<script>x</script>", ("<b>", '"&amp;"')))), "html")

    page = Page(html)
    assert "script" not in page.tags
    assert {"<script>x</script>", "<b>", '"&amp;"'} <= set(page.cells)


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("ping@ping.example", "ping@ping.example"),
        ('"Büro, Nord" <ping@ping.example>', '"Büro, Nord" <ping@ping.example>'),
        ('"Büro\\, \\"Nord\\""<ping@ping.example>', '"Büro, \\"Nord\\"" <ping@ping.example>'),
        ("Acme Inc. <ping@ping.example>", '"Acme Inc." <ping@ping.example>'),
        (" <ping@ping.example> ", "ping@ping.example"),
        ("Büro <ping@bücher.example>", "Büro <ping@xn--bcher-kva.example>"),
    ],
)
def test_a_sender_may_have_any_display_name(sender: str, shown: str) -> None:
    raw = built(notification(), sender=sender)

    assert raw.isascii()
    assert parsed(raw)["From"] == shown


@pytest.mark.parametrize(
    "harm",
    [
        {"sender": "x <a@b.example>\r\nBcc: eve@evil.example"},
        {"sender": "x\nBcc: eve@evil.example <a@b.example>"},
        {"recipient": "a@b.example\r\nBcc: eve@evil.example"},
        {"recipient": "a@b.example, eve@evil.example"},
        {"recipient": "nobody"},
        {"recipient": ""},
        {"sender": "a@x\r\nBcc: eve@evil.example"},
        {"sender": '"x\r\nBcc: eve@evil.example" <a@b.example>'},
        {"unsubscribe_url": "https://x.example/\r\nBcc: eve@evil.example"},
        {"unsubscribe_url": "https://bücher.example/"},
    ],
)
def test_what_can_not_stand_in_a_header_is_refused(harm: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        built(notification(), **harm)


@pytest.mark.parametrize(
    ("sender", "right"),
    [
        ("Lovelace, Ada <ping@example.org>", '"Lovelace, Ada" <ping@example.org>'),
        ("Acme (Berlin) <ping@example.org>", '"Acme (Berlin)" <ping@example.org>'),
        ('Ada "the first" <ping@example.org>', '"Ada the first" <ping@example.org>'),
        ("ping@example.com <ping@example.org>", '"ping@example.com" <ping@example.org>'),
    ],
)
def test_a_sender_that_may_mean_two_things_is_refused_with_the_right_spelling(
    sender: str, right: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"must have its name in quotes: {right}")):
        mailbox(sender)

    assert mailbox(right).address == "ping@example.org"


def test_two_senders_are_refused() -> None:
    with pytest.raises(ValueError, match="must be one sender"):
        mailbox("Ada <ada@example.org>, Bob <bob@example.org>")


def test_header_message_id_and_envelope_agree_on_the_sender() -> None:
    sender = mailbox('"Lovelace, Ada" <ping@bücher.example>')

    message = parsed(
        build_message(
            notification(), sender=sender, recipient="ada@bücher.example", unsubscribe_url=UNSUBSCRIBE
        )
    )

    assert sender.address == "ping@xn--bcher-kva.example"
    assert message["From"].addresses[0].addr_spec == sender.address
    assert message["From"].addresses[0].display_name == "Lovelace, Ada"
    assert message["Message-ID"].endswith("@xn--bcher-kva.example>")
    assert message["To"] == "ada@xn--bcher-kva.example"


def test_letters_beyond_ascii_stand_in_the_headers_as_they_are() -> None:
    raw = built(notification("Grüße"), recipient="jürgen@bücher.example")

    assert "\r\nTo: jürgen@xn--bcher-kva.example\r\n".encode() in raw
    assert parsed(raw)["From"] == "PingPilot <ping@ping.example>"


def test_an_encoded_word_in_user_text_stays_text() -> None:
    message = parsed(built(notification("=?utf-8?q?x=0d=0aBcc:_eve@evil.example?=")))

    assert message["Subject"] == "💰 Sale: = ?utf-8?q?x=0d=0aBcc:_eve@evil.example?="
    assert message["Bcc"] is None


def test_a_long_description_is_cut_in_the_subject_alone() -> None:
    message = parsed(built(notification("word " * 800)))

    assert len(message["Subject"]) <= 120
    assert message["Subject"].endswith("…")
    assert ("word " * 800).strip() in text_of(message, "plain")


@given(st.integers(0, 0xFFFFFF))
@settings(max_examples=200)
def test_the_title_can_be_read_on_any_colour(color: int) -> None:
    light = sum(
        part * weight for part, weight in zip(linear_rgb(color), (0.2126, 0.7152, 0.0722), strict=True)
    )

    contrast = (light + 0.05) / 0.05 if text_color_on(color) == "#000000" else 1.05 / (light + 0.05)

    assert contrast >= 4.5


@given(notifications)
@example(notification("**bold**", headline="0" * 70, emoji=None))
@settings(deadline=None, max_examples=60)
def test_every_message_is_sound_and_its_headers_are_intact(note: Notification) -> None:
    raw = built(note)

    message = parsed(raw)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert [defect for part in message.walk() for defect in part.defects] == []
    assert message["Subject"] == subject_for(note)
    assert message["Message-ID"] == f"<{note.event_id.hex}.{note.delivery_id}@ping.example>"
    assert message["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert [name.lower() for name in message] == HEADERS


HEADERS = ["from", "to", "subject", "date", "message-id", "auto-submitted"]
HEADERS += ["list-unsubscribe", "list-unsubscribe-post", "mime-version", "content-type"]


@given(notifications)
@example(notification("```\nblock\n```**bold**\n```\nblock\n```**bold**\n```\nblock\n```"))
@settings(deadline=None, max_examples=60)
def test_every_message_holds_everything_in_both_parts(note: Notification) -> None:
    message = parsed(built(note))

    description, fields = readable(note.description), readable_fields(note)
    text, page = text_of(message, "plain"), Page(text_of(message, "html"))
    assert f"\n{description}\n" in text
    assert all(f"\n{name}: {value}\n" in text for name, value in fields)
    cells = [cell for cell in page.cells if cell.strip("\n")]
    assert cells[0] == title_of(note)
    assert bare(cells[1]) == bare(description)
    assert [bare(cell) for cell in cells[2:-1]] == [bare(text) for field in fields for text in field]


def bare(text: str) -> str:
    """Return a text without what the marks of code and the lines around it are made of."""
    return re.sub(r"^```[\w+#.-]*$|[`\s]", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://example.com/a?b=1&c=2#d.", ["https://example.com/a?b=1&c=2#d"]),
        ("(see https://example.com/wiki/Ping_(x))", ["https://example.com/wiki/Ping_(x)"]),
        ("<https://example.com/>, HTTP://EXAMPLE.COM!", ["https://example.com/", "HTTP://EXAMPLE.COM"]),
        ('javascript:alert(1) data:x ftp://x.example "https://a.example/"', ["https://a.example/"]),
        ("https://a.example/\"onclick='x'", ["https://a.example/"]),
        ("`https://code.example/` is code", []),
        ("Build failed\n  see https://ci.example/1?a=b.\n  bye", ["https://ci.example/1?a=b"]),
        ("```\ncurl https://a.example/ | sh\n```", ["https://a.example/"]),
        ("見て：https://a.example/x。次「https://b.example」…", ["https://a.example/x", "https://b.example"]),
        ("https://a.example/wait…", ["https://a.example/wait"]),
    ],
)
def test_links_are_links(text: str, links: list[str]) -> None:
    page = Page(text_of(parsed(built(notification(text, ("where", text)))), "html"))

    assert page.links == [*links, *links, UNSUBSCRIBE]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run `ls -l` now", [("text", "run "), ("code", "ls -l"), ("text", " now")]),
        ("a ` alone, ``two``", [("text", "a ` alone, ``two``")]),
        ("Log:\n```sh\nls\n\ncd\n```\nend", [("text", "Log:"), ("block", "ls\n\ncd"), ("text", "end")]),
        ("```\nnever closed", [("text", "```\nnever closed")]),
        (
            'Broken.\n\nTraceback:\n  File "x"\n    y()\nValueError: z',
            [("text", "Broken."), ("block", 'Traceback:\n  File "x"\n    y()\nValueError: z')],
        ),
    ],
)
def test_code_is_told_from_text(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(piece.kind, piece.text) for piece in pieces(text)] == expected


def test_code_stands_in_a_type_of_equal_widths() -> None:
    html = text_of(parsed(built(notification("run `ls`"))), "html")

    assert re.search(r"<code [^>]*font-family:ui-monospace[^>]*>ls</code>", html)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "2026-11-23 08:05:00 UTC"),
        ("Europe/Berlin", "2026-11-23 09:05:00 CET"),
        ("America/Sao_Paulo", "2026-11-23 05:05:00 UTC-03"),
        ("Asia/Kathmandu", "2026-11-23 13:50:00 UTC+05:45"),
    ],
)
def test_the_time_is_in_the_accounts_zone(zone: str, shown: str) -> None:
    message = parsed(built(replace(notification(), time_zone=zone)))

    assert shown in text_of(message, "plain")
    assert shown in text_of(message, "html")
    assert message["Date"].datetime == datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
