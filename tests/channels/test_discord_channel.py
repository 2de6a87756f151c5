"""Sending through Discord: direct messages over the REST API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from bots.discord.client import use_api
from pingpilot.delivery.channel import Recipient
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    NotLeading,
    PermanentFailure,
    RateLimited,
    TemporaryFailure,
)
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.faults import Fault
from tests.support.waiting import until

from .notifications import OTHER, SALE
from .standins import TOKEN, open_conversation

ADA = DiscordUser("81384788765712384", "ada")
LOGIN, SEND = "GET users/@me", "POST channels/{channel}/messages"


@pytest.fixture
async def channel(discord_stand_in: DiscordStandIn) -> AsyncIterator[DiscordChannel]:
    channel = DiscordChannel(token=SecretStr(TOKEN))
    yield channel
    await channel.close()


@pytest.fixture
async def ada(discord_stand_in: DiscordStandIn) -> Recipient:
    """Somebody who has a conversation with the bot."""
    return Recipient(1, await open_conversation(discord_stand_in, ADA))


async def failure_of(channel: DiscordChannel, recipient: Recipient) -> DeliveryFailure:
    """Return how sending fails."""
    with pytest.raises(DeliveryFailure) as failure:
        await channel.send(recipient, SALE)
    return failure.value


async def test_a_silent_one_makes_no_sound(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)
    await channel.send(ada, replace(OTHER, silent=True))

    suppress_notifications = 1 << 12
    assert [message.flags for message in discord_stand_in.messages] == [0, suppress_notifications]


async def test_the_notification_arrives_as_an_embed(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)

    [message] = discord_stand_in.messages
    [embed] = message.embeds
    assert message.user_id == ADA.id
    assert (embed["title"], embed["color"]) == ("💰 Sale", 0xFFEB3B)
    assert "A new sale of 42 €" in embed["description"]
    assert [(field["name"], field["value"]) for field in embed["fields"]] == [
        ("zulu", "last"),
        ("amount", "42.5"),
        ("paid", "true"),
    ]
    assert datetime.fromisoformat(embed["timestamp"]) == SALE.created_at
    assert embed["footer"]["text"] == "evt_01936f2e5b6a7c3d8e4f1a2b3c4d5e6f"


async def test_nobody_is_pinged_and_nothing_previewed(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)

    [message] = discord_stand_in.messages
    assert message.allowed_mentions == {"parse": []}
    assert message.content == ""


async def test_the_nonce_is_the_events_own_and_stays_the_same(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)
    await channel.send(ada, OTHER)
    await channel.close()
    await channel.send(ada, SALE)

    first, second = discord_stand_in.messages
    assert first.nonce != second.nonce


@pytest.mark.parametrize("fault", [Fault.drop(after_accepting=True), Fault.hang(after_accepting=True)])
async def test_a_retry_after_a_lost_answer_arrives_once(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient, fault: Fault
) -> None:
    discord_stand_in.faults.add(fault)

    with pytest.raises((TemporaryFailure, TimeoutError)):
        async with asyncio.timeout(2):
            await channel.send(ada, SALE)
    await channel.send(ada, SALE)

    assert len(discord_stand_in.messages) == 1
    assert discord_stand_in.calls[SEND] == 2


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault.status(503), (TemporaryFailure, "Discord answered 503: 503: Service Unavailable")),
        (Fault.drop(), (TemporaryFailure, "Discord can't be reached: ")),
        (Fault.status(401), (ChannelUnavailable, "Discord refuses the bot's token")),
        (Fault.status(408), (TemporaryFailure, "Discord answered 408")),
        (Fault.error(400, "Invalid Form Body", code=50035), (PermanentFailure, "Invalid Form Body")),
        (Fault.error(403, "Missing Access", code=50001), (PermanentFailure, "Missing Access")),
        (Fault.error(404, "404: Not Found"), (PermanentFailure, "404: Not Found")),
    ],
)
async def test_an_answer_is_sorted_and_the_next_send_works(
    discord_stand_in: DiscordStandIn,
    channel: DiscordChannel,
    ada: Recipient,
    fault: Fault,
    verdict: tuple[type[DeliveryFailure], str],
) -> None:
    discord_stand_in.faults.add(fault, route="messages")

    failure = await failure_of(channel, ada)
    await channel.send(ada, SALE)

    kind, reason = verdict
    assert type(failure) is kind
    assert reason in failure.reason
    assert getattr(failure, "recipient_gone", False) is False
    assert len(discord_stand_in.messages) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error(403, "Cannot send messages to this user", code=50007),
        Fault.error(400, "Cannot send messages to this user", code=50007),
        Fault.error(403, "Cannot send messages to this user", code=50278),
        Fault.error(404, "Unknown User", code=10013),
    ],
)
async def test_somebody_who_is_gone_is_told_apart(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient, fault: Fault
) -> None:
    discord_stand_in.faults.add(fault, route="messages")

    failure = await failure_of(channel, ada)
    await channel.send(ada, SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


@pytest.mark.parametrize("code", [50007, 50278])
async def test_closed_direct_messages_end_it_until_they_are_opened(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient, code: int
) -> None:
    discord_stand_in.close_dms(ADA.id, code)

    failure = await failure_of(channel, ada)
    discord_stand_in.open_dms(ADA.id)
    await channel.send(ada, SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert failure.reason == "Discord: the user does not accept direct messages from the bot."


async def test_a_conversation_that_does_not_exist_is_gone(channel: DiscordChannel) -> None:
    failure = await failure_of(channel, Recipient(1, "4711"))

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


async def test_a_short_rate_limit_is_waited_out(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.status(429, retry_after=0.01), route="messages", times=2)

    await channel.send(ada, SALE)

    assert discord_stand_in.throttled == 2
    assert len(discord_stand_in.messages) == 1


async def test_a_long_rate_limit_pauses_the_recipient(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.status(429, retry_after=75.5), route="messages")

    failure = await failure_of(channel, ada)
    await channel.send(ada, SALE)

    assert isinstance(failure, RateLimited)
    assert (failure.retry_after, failure.whole_channel) == (timedelta(seconds=75.5), False)


async def test_a_ban_of_the_address_pauses_the_whole_channel(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.status(429, retry_after=3, headers={"Via": ""}), route="messages")

    failure = await failure_of(channel, ada)
    await channel.send(ada, SALE)

    assert isinstance(failure, RateLimited)
    assert (failure.retry_after, failure.whole_channel) == (timedelta(seconds=3), True)


async def test_a_long_rate_limit_of_the_login_is_one_too(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.status(429, retry_after=75.5), route="users/@me")

    failure = await failure_of(channel, ada)
    await channel.send(ada, SALE)

    assert isinstance(failure, RateLimited)
    assert failure.retry_after == timedelta(seconds=75.5)


async def test_a_revoked_token_makes_the_channel_unavailable(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)

    discord_stand_in.token = "another"
    failure = await failure_of(channel, ada)
    discord_stand_in.token = TOKEN
    await channel.send(ada, OTHER)

    assert isinstance(failure, ChannelUnavailable)
    assert len(discord_stand_in.messages) == 2


async def test_a_wrong_token_makes_the_channel_unavailable(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.token = "another"

    failure = await failure_of(channel, ada)
    discord_stand_in.token = TOKEN
    await channel.send(ada, SALE)

    assert isinstance(failure, ChannelUnavailable)
    assert failure.reason == "Discord refuses the bot's token: set a valid one."


async def test_a_login_that_fails_for_a_moment_is_tried_again(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.status(503), route="users/@me")

    failure = await failure_of(channel, ada)
    await channel.send(ada, SALE)

    assert isinstance(failure, TemporaryFailure)


async def test_many_first_messages_share_one_login(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel
) -> None:
    people = [DiscordUser(f"8138478876571238{digit}", f"user{digit}") for digit in range(5)]
    recipients = [Recipient(1, await open_conversation(discord_stand_in, each)) for each in people]

    await asyncio.gather(*(channel.send(each, SALE) for each in recipients))

    assert discord_stand_in.calls[LOGIN] == 1
    assert {message.user_id for message in discord_stand_in.messages} == {each.id for each in people}


async def test_a_platform_that_is_away_fails_for_a_while(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)

    await discord_stand_in.stop()
    failure = await failure_of(channel, ada)
    await discord_stand_in.start()
    await channel.send(ada, OTHER)

    assert isinstance(failure, TemporaryFailure)
    assert failure.reason.startswith("Discord can't be reached")
    assert len(discord_stand_in.messages) == 2


async def test_a_platform_that_is_away_at_the_first_message_fails_for_a_while(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await discord_stand_in.stop()

    failure = await failure_of(channel, ada)
    await discord_stand_in.start()
    await channel.send(ada, SALE)

    assert isinstance(failure, TemporaryFailure)


async def test_an_idle_connection_that_died_costs_no_attempt(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)

    await discord_stand_in.stop()
    await discord_stand_in.start()
    await channel.send(ada, OTHER)

    assert len(discord_stand_in.messages) == 2
    assert discord_stand_in.calls[LOGIN] == 1


async def test_a_send_that_hangs_can_be_ended(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.hang(), route="messages")

    sending = asyncio.create_task(channel.send(ada, SALE))
    await until(lambda: discord_stand_in.faults.taken == 1)
    sending.cancel()
    await asyncio.wait([sending])
    await channel.send(ada, SALE)

    assert len(discord_stand_in.messages) == 1


async def test_a_closed_channel_opens_again(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    await channel.send(ada, SALE)

    await channel.close()
    await channel.close()
    await channel.send(ada, OTHER)

    assert len(discord_stand_in.messages) == 2


async def test_a_name_that_does_not_resolve_fails_for_a_while(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    use_api("http://nowhere.invalid/api/v10")

    failure = await failure_of(channel, ada)
    use_api(discord_stand_in.url)
    await channel.send(ada, SALE)

    assert type(failure) is TemporaryFailure
    assert "nowhere.invalid" in failure.reason


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_trouble_of_a_moment_is_not_even_noticed(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient, status: int
) -> None:
    discord_stand_in.faults.add(Fault.status(status), route="messages")

    await channel.send(ada, SALE)

    assert discord_stand_in.faults.taken == 1
    assert len(discord_stand_in.messages) == 1


async def test_a_global_pause_is_left_to_the_engine(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    everywhere = {"X-RateLimit-Global": "true"}
    discord_stand_in.faults.add(Fault.status(429, retry_after=20, headers=everywhere), route="messages")

    async with asyncio.timeout(10):  # discord.py would wait for 20 s itself, and hold the next back
        failure = await failure_of(channel, ada)
        await channel.send(ada, SALE)

    assert isinstance(failure, RateLimited)
    assert (failure.retry_after, failure.whole_channel) == (timedelta(seconds=20), True)
    assert len(discord_stand_in.messages) == 1


async def test_an_address_that_discord_refuses_stands_in_the_text_instead(
    discord_stand_in: DiscordStandIn, channel: DiscordChannel, ada: Recipient
) -> None:
    discord_stand_in.faults.add(Fault.error(400, "Invalid Form Body", code=50035), route="messages")

    await channel.send(ada, replace(SALE, headline="Order", url="https://odd_host.example/1"))

    [message] = discord_stand_in.messages
    [embed] = message.embeds
    assert (embed["title"], "url" in embed) == ("💰 Order", False)
    assert embed["description"].startswith("https://odd_host.example/1\n\nA new sale")


@pytest.mark.parametrize("looks", range(4))
async def test_nothing_is_asked_for_once_another_daemon_may_lead(
    discord_stand_in: DiscordStandIn, ada: Recipient, looks: int
) -> None:
    """Its time may be over at any moment: it is looked at until the body goes out."""
    answers = [True]
    channel = DiscordChannel(
        token=SecretStr(TOKEN), may_act=lambda: answers.pop(0) if len(answers) > 1 else answers[0]
    )
    try:
        await channel.send(ada, SALE)  # logs in
        answers[:] = [True] * looks + [False]
        if looks < 3:
            with pytest.raises(NotLeading):
                await channel.send(ada, OTHER)
        else:  # all of it was on its way
            await channel.send(ada, OTHER)
    finally:
        await channel.close()

    assert len(discord_stand_in.messages) == (1 if looks < 3 else 2)


async def test_a_daemon_that_does_not_lead_does_not_log_in(
    discord_stand_in: DiscordStandIn, ada: Recipient
) -> None:
    channel = DiscordChannel(token=SecretStr(TOKEN), may_act=lambda: False)
    try:
        with pytest.raises(NotLeading):
            await channel.send(ada, SALE)
    finally:
        await channel.close()

    assert discord_stand_in.calls[LOGIN] == 0
