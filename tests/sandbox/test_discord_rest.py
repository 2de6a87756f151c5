"""Discord's REST API as the stand-in speaks it, driven by discord.py."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import discord
import pytest

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser

from .conftest import TOKEN
from .discord_bot import SmallBot


def embed(**parts: Any) -> dict[str, Any]:
    return {"embed": discord.Embed.from_dict(parts)}


def field(name: str, value: str) -> dict[str, Any]:
    return embed(fields=[{"name": name, "value": value}])


async def test_an_embed_reaches_the_person(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    seen: list[str] = []
    discord_stand_in.on_message.append(lambda message: seen.append(message.user_id))
    embed = discord.Embed(title="Sale", url="https://example.org", timestamp=datetime.now(UTC))
    embed.add_field(name="Amount", value="42 €").set_footer(text="PingPilot")

    sent = await rest_bot.dm(ada.id, embed=embed)

    [message] = await discord_stand_in.wait_for_messages(1)
    assert (message.id, message.user_id) == (str(sent.id), ada.id)
    assert message.embeds == [embed.to_dict()] == [sent.embeds[0].to_dict()]
    assert message.allowed_mentions == {"parse": []}
    assert seen == [ada.id]


async def test_a_person_keeps_their_channel(rest_bot: SmallBot, ada: DiscordUser) -> None:
    first = await rest_bot.dm(ada.id, "one")

    async with SmallBot() as another:
        await another.login(TOKEN)
        second = await another.dm(ada.id, "two")

    assert first.channel.id == second.channel.id


async def test_the_same_nonce_is_the_same_message(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    first = await rest_bot.dm(ada.id, "one", nonce="delivery-1")
    again = await rest_bot.dm(ada.id, "one", nonce="delivery-1")
    await rest_bot.dm(ada.id, "two", nonce="delivery-2")

    assert first.id == again.id
    assert [message.content for message in discord_stand_in.messages] == ["one", "two"]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": "🎉" * 1001}, "content"),
        ({"content": "x", "nonce": "n" * 26}, "nonce"),
        (embed(title="x" * 257), "embeds.0.title"),
        (embed(description="x" * 4097), "embeds.0.description"),
        (embed(footer={"text": "x" * 2049}), "embeds.0.footer.text"),
        (embed(author={"name": "x" * 257}), "embeds.0.author.name"),
        (embed(title="x", url="ftp://example.org"), "embeds.0.url"),
        (embed(fields=[{"name": "a", "value": "b"}] * 26), "embeds.0.fields"),
        (field("x" * 257, "value"), "embeds.0.fields.0.name"),
        (field(" ", "value"), "embeds.0.fields.0.name"),
        (field("name", "x" * 1025), "embeds.0.fields.0.value"),
        (field("name", "\n"), "embeds.0.fields.0.value"),
        ({"embeds": [discord.Embed(description="x" * 3001)] * 2}, "embeds"),
    ],
)
async def test_a_message_beyond_a_limit_is_refused_with_its_place(
    discord_stand_in: DiscordStandIn,
    rest_bot: SmallBot,
    ada: DiscordUser,
    message: dict[str, Any],
    place: str,
) -> None:
    with pytest.raises(discord.HTTPException) as refusal:
        await rest_bot.dm(ada.id, **message)

    assert (refusal.value.status, refusal.value.code) == (400, 50035)
    assert f"In {place}:" in refusal.value.text
    assert discord_stand_in.messages == []


async def test_a_message_at_the_limits_is_taken(rest_bot: SmallBot, ada: DiscordUser) -> None:
    full = discord.Embed(title="x" * 256, description="x" * 4096)
    full.add_field(name="n" * 256, value="v" * 1024)

    sent = await rest_bot.dm(ada.id, "x" * 2000, embed=full)

    assert len(sent.content) == 2000


@pytest.mark.parametrize("message", [{"content": " \n"}, embed()])
async def test_an_empty_message_is_refused(
    rest_bot: SmallBot, ada: DiscordUser, message: dict[str, Any]
) -> None:
    with pytest.raises(discord.HTTPException) as refusal:
        await rest_bot.dm(ada.id, **message)

    assert refusal.value.code == 50006


async def test_closed_direct_messages_are_forbidden(
    discord_stand_in: DiscordStandIn, rest_bot: SmallBot, ada: DiscordUser
) -> None:
    discord_stand_in.close_dms(ada.id, code=50278)
    with pytest.raises(discord.Forbidden) as refusal:
        await rest_bot.dm(ada.id, "hello")

    discord_stand_in.open_dms(ada.id)
    await rest_bot.dm(ada.id, "hello")

    assert refusal.value.code == 50278
    assert len(discord_stand_in.messages) == 1


async def test_an_unknown_channel_is_not_found(rest_bot: SmallBot) -> None:
    with pytest.raises(discord.NotFound) as refusal:
        await rest_bot.get_partial_messageable(1).send("hello")

    assert refusal.value.code == 10003


async def test_a_wrong_token_is_refused(discord_stand_in: DiscordStandIn) -> None:
    async with SmallBot() as client:
        with pytest.raises(discord.LoginFailure):
            await client.login("wrong")


async def test_an_unknown_route_answers_in_json(discord_stand_in: DiscordStandIn) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {TOKEN}"}) as session:
        answer = await session.get(discord_stand_in.url + "/stickers")
        body = await answer.json()

    assert (answer.status, body["message"]) == (404, "404: Not Found")
