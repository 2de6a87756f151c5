"""Messages as they are drawn: what their platforms make of them, and nothing that a text could smuggle in."""

import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord.message import render_embed
from bots.telegram.message import render_html
from pingpilot.channels import CHANNELS, load
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.rendering.looks import discord_look, draw, framed, mail_look, telegram_look
from tests.channels.notifications import SALE

from .strategies import notifications

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ADA = Recipient(1, "ada@example.com", destination="email")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }} javascript:alert(1)"
KNOWN_TAGS = {
    "a",
    "blockquote",
    "circle",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "iframe",
    "p",
    "path",
}
KNOWN_TAGS |= {"pre", "rect", "s", "span", "strong", "summary", "svg", "time", "u"}


class Tags(HTMLParser):
    """The tags and links of some HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.links, self.open, self.text = set[str](), list[str](), list[str](), ""
        self.feed(str(html))  # what Markup is added to is escaped

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert not any(name.startswith("on") or name == "style" for name in given)
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "a":
            assert given["rel"] == "noopener noreferrer nofollow"
            self.links.append(given["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(channel: str, notification: Notification, recipient: Recipient = ADA) -> Tags:
    kind = CHANNELS[channel]
    look = load(kind.look or "")(notification, recipient, load(kind.settings)())
    return Tags(draw(look, at=AT, zone=BERLIN, frame="mail"))


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_event_is_drawn_whole(channel: str) -> None:
    titled = replace(SALE, headline="Order 42", url="https://shop.example/42")

    page = drawn(channel, titled)

    for shown in (
        "Order 42",
        SALE.description.split("\n", maxsplit=1)[0],
        *(name for name, _ in SALE.fields),
    ):
        assert shown in page.text
    if channel in ("discord", "telegram"):
        assert page.links == ["https://shop.example/42"]
        assert "13:00" in page.text
    if channel == "webhook":
        assert "v1,…" in page.text


@settings(max_examples=60, deadline=None)
@given(notifications)
def test_whatever_an_event_says_is_drawn_as_text(notification: Notification) -> None:
    for channel in CHANNELS:
        page = drawn(channel, notification)

        assert page.tags <= KNOWN_TAGS
        assert page.open == []
        assert all(link.startswith(("https://", "http://")) for link in page.links)


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_would_be_markup_stays_text(channel: str) -> None:
    fields = ((HOSTILE, HOSTILE), ("**bold**", "`code` ~~gone~~ <@&42> @everyone"))
    hostile = replace(SALE, headline=HOSTILE, url=None, description=HOSTILE, fields=fields)

    page = drawn(channel, hostile)

    assert page.tags <= KNOWN_TAGS - ({"code", "s", "em", "u"} if channel == "discord" else set())
    assert "<script>alert(1)</script>" in page.text
    assert "**bold**" in page.text


def test_discords_markup_is_shown_as_its_clients_do() -> None:
    look = discord_look(
        "<@&42> **Linked** to `you@example.com`, \\*not\\* _here_: <https://a.example/x>.\n```py\na_b_c\n```",
        [
            {
                "title": "A *b*",
                "url": "javascript:alert(1)",
                "fields": [{"name": "https://a.example", "value": "||x||"}],
            }
        ],
    )

    page = Tags(draw(look, at=AT, zone=BERLIN))

    assert str(look.content) == (
        '<span class="called">@role</span> <strong>Linked</strong> to <code>you@example.com</code>, *not* '
        '<em>here</em>: <a href="https://a.example/x" rel="noopener noreferrer nofollow">https://a.example/x</a>.'
        '\n<span class="block">a_b_c</span>'
    )
    assert page.links == ["https://a.example/x"]
    assert str(look.embeds[0].title) == "A <em>b</em>"


def test_telegrams_html_is_shown_and_nothing_else_of_it_believed() -> None:
    look = telegram_look(
        '<b>Bold <i>and</b></i> <a href="javascript:x">no</a> <a href="https://a.example/?a=1&amp;b">yes</a> '
        "<img src=x> <code>https://b.example</code> https://c.example. &lt;3 <pre>left open"
    )

    assert str(look.text) == (
        "<strong>Bold <em>and</em> no "
        '<a href="https://a.example/?a=1&amp;b" rel="noopener noreferrer nofollow">yes</a> '
        "&lt;img src=x&gt; <code>https://b.example</code> "
        '<a href="https://c.example" rel="noopener noreferrer nofollow">https://c.example</a>. &lt;3 '
        "<pre>left open</pre></strong>"
    )


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="*_`~|\\<>@&1 a\n#:/[]()htps.", max_size=60))
def test_no_text_breaks_the_drawing(text: str) -> None:
    for html in (discord_look(text, [{"description": text}]), telegram_look(text)):
        page = Tags(draw(html, at=AT, zone=BERLIN))
        assert page.open == []
        assert page.tags <= KNOWN_TAGS


def test_a_mail_without_html_or_head_is_drawn_too() -> None:
    bare = mail_look(message_from_bytes(b"\r\nHello <b>\r\n", policy=email.policy.default))

    page = Tags(draw(bare, at=AT, zone=BERLIN, frame="mail"))

    assert "Hello <b>" in page.text
    assert "iframe" not in page.tags
    assert framed("<p>no head") == "<p>no head"


def test_the_longest_event_is_drawn_as_it_is_cut() -> None:
    long = replace(
        SALE, description="word " * 800, fields=tuple((f"name {n}", "v" * 4000) for n in range(100))
    )

    assert "characters left out" in drawn("discord", long).text
    assert "characters left out" in drawn("telegram", long).text
    assert render_embed(long).title
    assert render_html(long)
