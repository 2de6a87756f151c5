"""A title of the sender's own, and the address it leads to, in each channel's message."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.message import render_embed
from bots.telegram.message import render_html
from pingpilot.delivery.channel import Notification
from pingpilot.email.message import build_message, subject_for
from pingpilot.email.sender import mailbox
from pingpilot.rendering.links import chat_link
from pingpilot.rendering.text import utf16_length

from .strategies import notification, texts

ORDER = notification(headline="Order *1042* <b>", url="https://shop.example/orders/1042?a=1&b=2")
BARE = notification(headline="Disk full", url="http://nas/disks")


def mail_parts(note: Notification) -> tuple[str, str]:
    """Return the plain text and the HTML."""
    raw = build_message(
        note,
        sender=mailbox("ping@ping.example"),
        recipient="alice@example.com",
        unsubscribe_url="https://ping.example/u",
    )
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    plain, html = (part.get_content().replace("\r\n", "\n") for part in parts if part)
    return plain, html


def test_on_discord_the_title_is_a_link_and_its_text_inert() -> None:
    embed = render_embed(ORDER)

    assert embed.title == r"💰 Order \*1042\* \<b>"
    assert embed.url == "https://shop.example/orders/1042?a=1&b=2"
    assert embed.description == "User upgraded"


def test_on_telegram_the_title_is_a_link_and_its_text_inert() -> None:
    assert render_html(ORDER) == (
        '🟩 <a href="https://shop.example/orders/1042?a=1&amp;b=2"><b>💰 Order *1042* &lt;b&gt;</b></a>'
        "\n\nUser upgraded"
    )


def test_in_an_e_mail_the_title_is_a_link_in_both_parts() -> None:
    plain, html = mail_parts(ORDER)

    assert plain.startswith(
        "💰 Order *1042* <b>\nhttps://shop.example/orders/1042?a=1&b=2\n\nUser upgraded\n"
    )
    assert (
        '<a href="https://shop.example/orders/1042?a=1&amp;b=2" '
        'style="color:#000000;text-decoration:underline;">💰 Order *1042* &lt;b&gt;</a>'
    ) in html
    assert subject_for(ORDER) == "💰 Order *1042* <b>: User upgraded"


def test_the_categorys_name_is_the_link_where_there_is_no_title() -> None:
    embed = render_embed(notification(url="https://shop.example/"))

    assert (embed.title, embed.url) == ("💰 Sale", "https://shop.example/")


def test_what_chat_platforms_take_for_no_address_stands_above_the_text() -> None:
    embed, html = render_embed(BARE), render_html(BARE)

    assert (embed.title, embed.url) == ("💰 Disk full", None)
    assert embed.description == "http://nas/disks\n\nUser upgraded"
    assert html == "🟩 <b>💰 Disk full</b>\n\nhttp://nas/disks\n\nUser upgraded"
    assert 'href="http://nas/disks"' in mail_parts(BARE)[1]


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://x.example/a?b=c#d", "https://x.example/a?b=c#d"),
        ("HTTP://X.Example:8080/a%20b", "http://x.example:8080/a%20b"),
        ("https://bücher.example/ä?ö=€", "https://xn--bcher-kva.example/%C3%A4?%C3%B6=%E2%82%AC"),
        ("http://192.168.0.1/", "http://192.168.0.1/"),
        ("http://[2001:db8::1]:81/a", "http://[2001:db8::1]:81/a"),
        ('https://x.example/<">\\^`{|}', "https://x.example/%3C%22%3E%5C%5E%60%7B%7C%7D"),
        ("http://localhost/", None),
        ("http://nas.:80/", None),
        ("https://user:password@x.example/", None),
        ("http://x.example:99999/", None),
        ("http://[x/", None),
        ("http://" + "a" * 64 + ".example/", None),
        ("https://x.example/" + "ä" * 400, None),
    ],
)
def test_an_address_becomes_a_link_that_chat_platforms_take(url: str, link: str | None) -> None:
    assert chat_link(url) == link


@given(texts(200).map(lambda text: " ".join(text.split())), st.sampled_from([None, "👩‍👩‍👧‍👦", "*️⃣"]))
def test_any_title_keeps_to_discords_limit_on_one_line(title: str, emoji: str | None) -> None:
    embed = render_embed(notification(headline=title or None, emoji=emoji))

    assert 0 < utf16_length(embed.title or "") <= 256
    assert "\n" not in (embed.title or "")
