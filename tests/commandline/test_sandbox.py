"""`pingpilot sandbox`, with and without a terminal."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import aiohttp
import pytest

from .sandbox import WELCOME, Sandbox


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(tmp_path)
    yield made
    await made.close()


async def test_without_a_terminal_it_shows_key_and_curl_what_arrives_and_where_a_title_leads(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    of_a_server = (
        "PINGPILOT_DATABASE_URL=postgres://pooler/x\nPINGPILOT_DATABASE_DIRECT_URL=postgres://db/x\n"
    )
    (tmp_path / ".env").write_text(of_a_server)  # the sandbox has a database of its own
    await sandbox.start(terminal=False)
    assert f"curl {sandbox.base_url}/api/v1/event" in sandbox.printed
    assert f"  {sandbox.base_url}/sign-in/" in sandbox.printed

    await post_sale(sandbox)

    await sandbox.shows("── Discord · direct message")
    await sandbox.shows("── Telegram · message")
    await sandbox.shows("── E-mail · to you@example.com")
    await sandbox.shows("Subject: 💰 Sale: Somebody bought a lamp")
    await sandbox.shows("amount: 99.99", times=2)  # on Discord and on Telegram
    await sandbox.shows("── Webhook · POST /hook, signed")
    await sandbox.shows('fields: {"amount": 99.99}')
    titled = {"category": "sale", "title": "Order 1042", "url": "https://shop.example.com/1042"}
    await post(sandbox, titled)
    for shown in ("┃ → https://shop.example.com/1042", "\n  → https://shop.example.com/1042"):
        await sandbox.shows(shown)
    assert "\x1b" not in sandbox.printed
    assert "Traceback" not in sandbox.printed
    sandbox.interrupt()
    assert await sandbox.wait() == 0


async def test_at_its_prompt_one_talks_to_the_bots(sandbox: Sandbox) -> None:
    await sandbox.start(terminal=True)

    await type_and_see(sandbox, "discord /quota", "0 of 100 events used")
    await type_and_see(sandbox, "telegram /categories", "question")
    await type_and_see(sandbox, f"telegram /link {await new_code(sandbox)}", "Linked to you@example.com")
    await type_and_see(sandbox, "discord /nonsense", "nonsense")
    await type_and_see(sandbox, "dashboard", f"{sandbox.base_url}/sign-in/")
    await type_and_see(sandbox, "make me a coffee", WELCOME)
    await type_and_see(sandbox, "discord", WELCOME)
    sandbox.type("quit")

    assert await sandbox.wait() == 0
    assert "Traceback" not in sandbox.printed


async def test_at_its_prompt_one_links_and_loses_telegram_rooms(sandbox: Sandbox) -> None:
    await sandbox.start(terminal=True)

    for kind, name in (("group", "ops"), ("topic", "deploys"), ("channel", "news")):
        await type_and_see(sandbox, f"telegram add {kind} {name}", f"There is a {kind} #{name} with the bot.")
        code = await new_code(sandbox, name)
        await type_and_see(sandbox, f"telegram #{name} /link {code}", f"This room is linked as {name}.")
        await sandbox.shows(f"This room is linked as '{name}'. Notifications for it arrive here")
        await sandbox.shows(f"· message in #{name} ─", times=2)
    link_button = "[Open our private chat → https://t.me/pingpilot_bot]"
    await type_and_see(sandbox, "telegram #ops /quota", link_button)
    await type_and_see(sandbox, "telegram remove #ops", "The bot was removed from #ops.")
    await sandbox.shows("The destination 'ops' (Telegram) is suspended")
    await type_and_see(sandbox, "telegram #ops /help", "The bot is not in #ops.")
    await type_and_see(sandbox, "telegram add group ops", "The bot is in #ops again.")
    code = await new_code(sandbox)
    await type_and_see(sandbox, f"telegram #ops /link {code}", "This room is linked as ops.")
    await type_and_see(sandbox, "telegram #news /unlink", "This room is unlinked.")
    await type_and_see(sandbox, "telegram remove deploys", "The topic #deploys is deleted.")
    await post_sale(sandbox)
    await sandbox.shows("The topic is gone from its Telegram group. What goes to 'deploys'")
    await sandbox.shows("· message in Team, General ─")


async def test_at_its_prompt_one_links_and_loses_channels_of_a_discord_server(sandbox: Sandbox) -> None:
    await sandbox.start(terminal=True)

    for kind, name in (("channel", "deploys"), ("thread", "party")):
        await type_and_see(sandbox, f"discord add {kind} {name}", f"#{name}, which the bot sees.")
        line = f"discord #{name} /link code:{await new_code(sandbox)} where:This channel"
        await type_and_see(sandbox, line, "This room is linked as sandbox-")
        await sandbox.shows(f"· message in #{name} ─")
    line = f"discord #ops /link code:{await new_code(sandbox, 'ops')} where:This channel"
    await type_and_see(sandbox, line, "This room is linked as ops.")
    await type_and_see(sandbox, "discord remove deploys", "The bot can't see #deploys any more.")
    await post(sandbox, {"category": "sale"}, expected=500, Prefer="wait=20")
    await sandbox.shows("grant it View Channel there")
    await type_and_see(sandbox, "discord add channel deploys", "The bot sees #deploys again.")
    await type_and_see(sandbox, "discord remove party", "The thread #party is deleted.")
    await sandbox.shows("The thread was deleted, or its channel.")


async def test_what_can_not_be_done_with_a_room_is_said(sandbox: Sandbox) -> None:
    await sandbox.start(terminal=True)

    kinds = "one of `add group NAME`, `add topic NAME`, `add channel NAME`, where NAME is one word"
    await type_and_see(sandbox, "telegram add", kinds)
    await type_and_see(sandbox, "telegram add castle ops", kinds)
    await type_and_see(sandbox, "telegram add group two words", kinds)
    await type_and_see(sandbox, "telegram #ops /help", "There is no room #ops; there are: none.")
    await type_and_see(sandbox, "telegram add group ops", "There is a group #ops with the bot.")
    await type_and_see(
        sandbox, "telegram add group ops", "There is #ops already: write there, as in `telegram"
    )
    await type_and_see(
        sandbox, "telegram #ops hello", "The bot says nothing: in a room it answers its commands"
    )
    await type_and_see(
        sandbox, "discord add channel ops", "There is #ops already: write there, as in `discord"
    )
    await type_and_see(
        sandbox, "discord #board /help", "There is no room #board; there are: #ops. `discord add"
    )
    await type_and_see(sandbox, "code Ops!", "A destination's name is 1 to 32 of a-z, 0-9 and '-'")


@pytest.mark.parametrize("bot", ["discord", "telegram"])
async def test_at_its_prompt_one_retries_what_was_refused(sandbox: Sandbox, bot: str) -> None:
    await sandbox.start(terminal=True)

    await sandbox.shows("Telegram is linked to you@example.com")  # lest that is what is refused
    await type_and_see(sandbox, f"{bot} press Retry 1", "no button 'Retry 1'; the latest message has: none")
    await type_and_see(sandbox, "refuse pigeon", "'pigeon' is not a platform: try discord or telegram.")
    await type_and_see(sandbox, "refuse telegram", "The next message to telegram will be refused.")
    await post(sandbox, {"category": "sale", "description": "A lamp"}, expected=500, Prefer="wait=20")
    await type_and_see(sandbox, f"{bot} /failed", "[Retry 1]")
    await type_and_see(sandbox, f"{bot} press retry 1", "Trying again: sale on Telegram.")
    await sandbox.shows(", changed")
    await sandbox.shows("· message ─")
    sandbox.type("quit")

    assert await sandbox.wait() == 0
    assert "Traceback" not in sandbox.printed


@pytest.mark.parametrize("end", [Sandbox.interrupt, lambda sandbox: sandbox.type("\x04")])
async def test_ctrl_c_and_ctrl_d_end_it_with_open_connections(
    sandbox: Sandbox, end: Callable[[Sandbox], None]
) -> None:
    await sandbox.start(terminal=True)
    address, port = sandbox.base_url.removeprefix("http://").split(":")

    with socket.create_connection((address, int(port))) as half_sent:
        half_sent.sendall(b"POST /api/v1/event HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        end(sandbox)
        code = await sandbox.wait()

    assert code == 0
    assert "Traceback" not in sandbox.printed


async def test_a_port_that_is_taken_is_told_and_another_one_used(sandbox: Sandbox) -> None:
    host, port = sandbox.base_url.removeprefix("http://").split(":")
    with socket.create_server((host, int(port))):
        await sandbox.start(terminal=False)

    assert sandbox.printed.count(f"Port {port} is taken: this sandbox uses ") == 1
    assert not sandbox.base_url.endswith(f":{port}")
    await post_sale(sandbox)
    assert "Traceback" not in sandbox.printed


async def test_key_port_and_history_are_the_same_after_a_restart(sandbox: Sandbox) -> None:
    await sandbox.start(terminal=True, port_is_set=False)
    before = sandbox.key, sandbox.base_url
    await type_and_see(sandbox, "telegram /categories", "question")
    await type_and_see(sandbox, "curl", f"curl {sandbox.base_url}/api/v1/event")
    await sandbox.shows("pingpilot> ")
    sandbox.type("quit")
    await sandbox.wait()
    sandbox.forget()

    await sandbox.start(terminal=True, port_is_set=False)

    assert (sandbox.key, sandbox.base_url) == before
    await post_sale(sandbox)
    sandbox.forget()
    sandbox.press("\x1b[A\x1b[A\n")  # twice up
    await sandbox.shows("question")


async def test_a_line_is_edited_stays_below_what_arrives_and_one_from_outside_rewrites_nothing(
    sandbox: Sandbox,
) -> None:
    await sandbox.start(terminal=True)
    await sandbox.shows("Telegram is linked to")
    sandbox.forget()

    sandbox.press("/quota")
    await sandbox.shows("/quota")
    await post_sale(sandbox)
    await sandbox.shows("Unsubscribe:")
    await sandbox.shows("\x1b[K\npingpilot> /quota")
    sandbox.press("\x01discord \n")  # Ctrl-A is the line's beginning

    await sandbox.shows("1 of 100 events used")
    sandbox.forget()
    await post(sandbox, {"category": "bug", "description": "before\x1b[2J\x07after"})
    await sandbox.shows("E-mail")
    await sandbox.shows("beforeafter")
    assert "\x1b[2J" not in sandbox.printed
    assert "\x07" not in sandbox.printed


async def type_and_see(sandbox: Sandbox, line: str, text: str) -> None:
    sandbox.forget()
    sandbox.type(line)
    await sandbox.shows(text)


async def new_code(sandbox: Sandbox, room: str = "") -> str:
    await type_and_see(sandbox, f"code {room}".strip(), "Code: ")
    return sandbox.printed.partition("Code: ")[2][:8]


async def post_sale(sandbox: Sandbox) -> None:
    sale = {"category": "sale", "description": "Somebody bought a lamp", "fields": {"amount": 99.99}}
    await post(sandbox, sale)


async def post(sandbox: Sandbox, body: Mapping[str, object], *, expected: int = 200, **headers: str) -> None:
    url, headers = f"{sandbox.base_url}/api/v1/event", {"Authorization": f"Bearer {sandbox.key}", **headers}
    async with aiohttp.request("POST", url, json=body, headers=headers) as answer:
        assert answer.status == expected
