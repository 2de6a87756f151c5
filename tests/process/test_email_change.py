"""Changing an account's address: the command, the mail with the link, and the click."""

import re
from urllib.parse import urlsplit

import aiohttp

from pingpilot.sandbox.smtp import Mail
from tests.support.daemon import Daemon
from tests.support.platforms import Platforms


def text_of(mail: Mail) -> str:
    part = mail.message.get_body(("plain",))
    assert part
    return str(part.get_content())


async def test_an_account_gets_a_new_address_by_a_link_in_the_new_mailbox(
    daemon: Daemon, platforms: Platforms
) -> None:
    await daemon.start()
    await daemon.create_account("alice@example.com", channels=["email"])
    await daemon.command("account", "set", "alice@example.com", "--time-zone", "Asia/Tokyo")

    asked = await daemon.command("account", "set", "alice@example.com", "--email", "Alice@Example.org")
    mails = {mail.recipients[0]: mail for mail in await platforms.mail.wait_for_messages(2)}
    texts = {recipient: text_of(mail) for recipient, mail in mails.items()}
    [link] = set(re.findall(r"http\S+/confirm-email/[\w.-]+", texts["alice@example.org"]))
    before = await daemon.command("account", "list", "--json")
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(daemon.base_url + urlsplit(link).path) as page,
    ):
        pass
    after = await daemon.command("account", "list", "--json")

    assert (asked.code, asked.err) == (0, "")
    assert "A link was sent to alice@example.org: the address changes once it is opened there." in asked.out
    assert "change your account's address to alice@example.org" in texts["alice@example.com"]
    assert "JST" in texts["alice@example.org"]
    assert "nsubscribe" not in mails["alice@example.org"].raw.decode()  # a stranger may be reading it
    assert "Unsubscribe: " in texts["alice@example.com"]
    assert [each["email"] for each in before.json] == ["alice@example.com"]
    assert page.status == 200
    assert [each["email"] for each in after.json] == ["alice@example.org"]


async def test_a_link_that_can_not_be_sent_is_a_sentence(daemon: Daemon, platforms: Platforms) -> None:
    await daemon.create_account("alice@example.com", channels=["email"])
    platforms.mail.refuse_recipient("bob@example.org", text="5.1.1 unknown here")

    refused = await daemon.command("account", "set", "alice@example.com", "--email", "bob@example.org")

    assert refused.code == 1
    assert refused.err.startswith("Error: The link could not be sent to bob@example.org: ")
    assert len(refused.err.splitlines()) == 1
