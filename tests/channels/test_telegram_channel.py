"""Sending through Telegram: HTML messages."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from bots.telegram.channel import TelegramChannel
from models import DestinationKind
from pingpilot.channels import Window
from pingpilot.clock import SystemClock
from pingpilot.delivery.channel import Recipient
from pingpilot.delivery.pacing import Pacer
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    NotLeading,
    PermanentFailure,
    RateLimited,
    RecipientMoved,
    TemporaryFailure,
)
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramRoom, TelegramStandIn, TelegramUser
from pingpilot.sandbox.telegram.rooms import RoomType
from tests.support.waiting import until

from .notifications import OTHER, SALE
from .standins import TOKEN

GRACE = TelegramUser(7_123_456_789, "grace", "Grace")


@pytest.fixture
async def channel(telegram_stand_in: TelegramStandIn) -> AsyncIterator[TelegramChannel]:
    telegram_stand_in.chat_limit = None
    timeout = timedelta(seconds=1.5)
    channel = TelegramChannel(token=SecretStr(TOKEN), api_url=telegram_stand_in.url, timeout=timeout)
    yield channel
    await channel.close()


@pytest.fixture
def grace(telegram_stand_in: TelegramStandIn) -> Recipient:
    """Somebody who has written to the bot."""
    telegram_stand_in.start_chat(GRACE)
    return Recipient(1, str(GRACE.id))


def in_room(room: TelegramRoom, topic: int | None = None) -> Recipient:
    """Return the recipient that a linked room is, or a topic of it."""
    return Recipient(
        1,
        str(room.id),
        destination="ops",
        kind=DestinationKind.TOPIC if topic else DestinationKind.ROOM,
        topic=str(topic) if topic else None,
    )


async def failure_of(channel: TelegramChannel, recipient: Recipient) -> DeliveryFailure:
    """Return how sending fails."""
    with pytest.raises(DeliveryFailure) as failure:
        await channel.send(recipient, SALE)
    return failure.value


async def test_a_silent_one_makes_no_sound(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await channel.send(grace, SALE)
    await channel.send(grace, replace(OTHER, silent=True))

    assert [message.silent for message in telegram_stand_in.messages] == [False, True]


async def test_the_notification_arrives_as_text(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await channel.send(grace, SALE)

    [message] = telegram_stand_in.messages
    assert message.chat_id == GRACE.id
    for shown in (
        "💰 Sale",
        "A new sale of 42 € <b>@everyone</b>",
        "zulu: last",
        "amount: 42.5",
        "paid: true",
    ):
        assert shown in message.text
    assert "bold" in {entity["type"] for entity in message.entities}


async def test_no_link_is_previewed(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await channel.send(grace, SALE)

    assert [message.previews_disabled for message in telegram_stand_in.messages] == [True]


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault.status(500), (TemporaryFailure, "Internal Server Error")),
        (Fault.status(502), (TemporaryFailure, "Bad Gateway")),
        (Fault.status(503), (TemporaryFailure, "Service Unavailable")),
        (Fault.drop(), (TemporaryFailure, "Telegram: ")),
        (Fault.hang(), (TemporaryFailure, "Timed out")),
        (Fault.status(401), (ChannelUnavailable, "Telegram refuses the bot's token: set a valid one.")),
        (Fault.error(409, "Conflict: terminated"), (TemporaryFailure, "terminated")),
        (Fault.error(400, "Bad Request: message is too long"), (PermanentFailure, "too long")),
        (Fault.error(400, "Bad Request: can't parse entities: x"), (PermanentFailure, "parse entities")),
    ],
)
async def test_an_answer_is_sorted_and_the_next_send_works(
    telegram_stand_in: TelegramStandIn,
    channel: TelegramChannel,
    grace: Recipient,
    fault: Fault,
    verdict: tuple[type[DeliveryFailure], str],
) -> None:
    telegram_stand_in.faults.add(fault)

    failure = await failure_of(channel, grace)
    await channel.send(grace, SALE)

    kind, reason = verdict
    assert type(failure) is kind
    assert reason.lower() in failure.reason.lower()
    assert getattr(failure, "recipient_gone", False) is False
    assert len(telegram_stand_in.messages) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error(403, "Forbidden: bot was blocked by the user"),
        Fault.error(403, "Forbidden: user is deactivated"),
        Fault.error(403, "Forbidden: bot can't initiate conversation with a user"),
        Fault.error(400, "Bad Request: chat not found"),
    ],
)
async def test_somebody_who_is_gone_is_told_apart(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient, fault: Fault
) -> None:
    telegram_stand_in.faults.add(fault)

    failure = await failure_of(channel, grace)
    await channel.send(grace, SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


async def test_somebody_who_blocks_the_bot_is_gone_until_they_come_back(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    telegram_stand_in.block(GRACE.id)

    failure = await failure_of(channel, grace)
    telegram_stand_in.unblock(GRACE.id)
    await channel.send(grace, SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert "blocked by the user" in failure.reason


async def test_a_deleted_account_is_gone(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    telegram_stand_in.deactivate(GRACE.id)

    failure = await failure_of(channel, grace)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert "deactivated" in failure.reason


async def test_a_chat_nobody_has_opened_is_gone(channel: TelegramChannel) -> None:
    failure = await failure_of(channel, Recipient(1, "4711"))

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert "chat not found" in failure.reason.lower()


async def test_a_chat_that_has_moved_is_gone(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    telegram_stand_in.migrate(GRACE.id, -1001234567890)

    failure = await failure_of(channel, grace)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


async def test_flood_control_pauses_for_the_time_telegram_names(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    telegram_stand_in.faults.add(Fault.status(429, retry_after=7))

    failure = await failure_of(channel, grace)
    await channel.send(grace, SALE)

    assert isinstance(failure, RateLimited)
    assert (failure.retry_after, failure.whole_channel) == (timedelta(seconds=7), False)


async def test_a_revoked_token_makes_the_channel_unavailable(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await channel.send(grace, SALE)

    telegram_stand_in.revoke_token()
    failure = await failure_of(channel, grace)
    telegram_stand_in.token = TOKEN
    await channel.send(grace, OTHER)

    assert isinstance(failure, ChannelUnavailable)
    assert len(telegram_stand_in.messages) == 2


async def test_a_platform_that_is_away_fails_for_a_while(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await telegram_stand_in.stop()

    failure = await failure_of(channel, grace)
    await telegram_stand_in.start()
    await channel.send(grace, SALE)

    assert isinstance(failure, TemporaryFailure)
    assert len(telegram_stand_in.messages) == 1


async def test_an_idle_connection_that_died_costs_no_attempt(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await channel.send(grace, SALE)

    await telegram_stand_in.stop()
    await telegram_stand_in.start()
    await channel.send(grace, OTHER)

    assert len(telegram_stand_in.messages) == 2


async def test_many_messages_go_out_side_by_side(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel
) -> None:
    people = [TelegramUser(number, None, f"User {number}") for number in range(1, 21)]
    for each in people:
        telegram_stand_in.start_chat(each)

    await asyncio.gather(*(channel.send(Recipient(1, str(each.id)), SALE) for each in people))

    assert sorted(message.chat_id for message in telegram_stand_in.messages) == list(range(1, 21))


async def test_a_closed_channel_opens_again(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    await channel.send(grace, SALE)

    await channel.close()
    await channel.close()
    await channel.send(grace, OTHER)

    assert len(telegram_stand_in.messages) == 2


async def test_a_name_that_does_not_resolve_fails_for_a_while(grace: Recipient) -> None:
    channel = TelegramChannel(token=SecretStr(TOKEN), api_url="http://nowhere.invalid")

    failure = await failure_of(channel, grace)
    await channel.close()

    assert type(failure) is TemporaryFailure
    assert "httpx.ConnectError" in failure.reason


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
async def test_a_room_gets_messages(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, kind: RoomType
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=GRACE, kind=kind)

    await channel.send(in_room(room), SALE)

    [message] = telegram_stand_in.messages
    assert (message.chat_id, message.topic) == (room.id, None)


async def test_a_topic_gets_its_messages_in_it(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel
) -> None:
    forum = telegram_stand_in.rooms.open("Ops", by=GRACE, forum=True)
    topic = telegram_stand_in.rooms.open_topic(forum, "Deploys")

    await channel.send(in_room(forum, topic), SALE)

    [message] = telegram_stand_in.messages
    assert (message.chat_id, message.topic) == (forum.id, topic)


NAMES = "@grace, (@ada) /@bob é@eve @\x00zoe @\u202dyan @all mail ann@example.com"


async def test_nobody_in_a_room_is_called_by_a_name_in_an_event(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=GRACE)
    event = replace(
        SALE,
        headline="@grace did it",
        url="http://nas/@grace",
        description=NAMES,
        fields=(("@ada", "@bob"), ("amount", 1)),
    )

    await channel.send(in_room(room), event)
    await channel.send(grace, event)

    called, in_private = ({each["type"] for each in sent.entities} for sent in telegram_stand_in.messages)
    text = telegram_stand_in.messages[0].text
    assert "mention" not in called
    assert "mention" in in_private  # which calls nobody there
    assert "ann@example.com" in text
    assert text.replace("\u2060", "").startswith("🟨 💰 @grace did it\n\nhttp://nas/@grace\n\n@grace, (@ada)")


async def test_long_texts_full_of_names_still_fit_a_room(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=GRACE)

    await channel.send(in_room(room), replace(SALE, description="@a " * 2000))

    assert len(telegram_stand_in.messages) == 1


@pytest.mark.parametrize("topic", [None, "7"])
async def test_a_group_that_became_a_supergroup_has_moved(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, topic: str | None
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=GRACE, kind="group")
    recipient = replace(in_room(room), topic=topic)
    telegram_stand_in.rooms.upgrade(room, by=GRACE)

    failure = await failure_of(channel, recipient)
    await channel.send(in_room(room), SALE)

    assert isinstance(failure, RecipientMoved)
    assert (failure.address, failure.topic) == (str(room.id), topic)


@pytest.mark.parametrize("how", ["closed", "deleted", "TOPIC_DELETED"])
async def test_a_topic_that_is_gone_moves_to_the_group(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, how: str
) -> None:
    rooms = telegram_stand_in.rooms
    forum = rooms.open("Ops", by=GRACE, forum=True)
    topic = rooms.open_topic(forum, "Deploys")
    if how == "closed":
        rooms.close_topic(forum, topic)
    elif how == "deleted":
        rooms.delete_topic(forum, topic)
    else:
        telegram_stand_in.faults.add(Fault.error(400, f"Bad Request: {how}"))

    failure = await failure_of(channel, in_room(forum, topic))

    assert isinstance(failure, RecipientMoved)
    assert (failure.address, failure.topic) == (str(forum.id), None)
    assert failure.reason.startswith("The topic is ")


async def test_a_closed_general_topic_says_what_to_do(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel
) -> None:
    forum = telegram_stand_in.rooms.open("Ops", by=GRACE, forum=True)
    telegram_stand_in.rooms.close_topic(forum, 1)

    failure = await failure_of(channel, in_room(forum))

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone
    assert failure.reason == (
        "Telegram: the General topic is closed. Open it again, or let the bot manage topics."
    )


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error(403, "Forbidden: bot was kicked from the supergroup chat"),
        Fault.error(403, "Forbidden: bot is not a member of the channel chat"),
        Fault.error(403, "Forbidden: the group chat was deleted"),
        Fault.error(400, "Bad Request: group chat was deactivated"),
        Fault.error(400, "Bad Request: not enough rights to send text messages to the chat"),
        Fault.error(400, "Bad Request: have no rights to send a message"),
        Fault.error(400, "Bad Request: need administrator rights in the channel chat"),
        Fault.error(400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
        Fault.error(400, "Bad Request: CHAT_RESTRICTED"),
        Fault.error(400, "Bad Request: chat not found"),
    ],
)
async def test_a_room_where_the_bot_may_not_write_is_gone(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, fault: Fault
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=GRACE)
    telegram_stand_in.faults.add(fault)

    failure = await failure_of(channel, in_room(room))
    await channel.send(in_room(room), SALE)

    assert isinstance(failure, PermanentFailure)
    assert failure.recipient_gone


@pytest.mark.parametrize("looks", range(4))
async def test_nothing_is_asked_for_once_another_daemon_may_lead(
    telegram_stand_in: TelegramStandIn, grace: Recipient, looks: int
) -> None:
    """Its time may be over at any moment: it is looked at until the body goes out."""
    answers = [True] * looks + [False]
    channel = TelegramChannel(
        token=SecretStr(TOKEN),
        api_url=telegram_stand_in.url,
        may_act=lambda: answers.pop(0) if len(answers) > 1 else answers[0],
    )
    try:
        if looks < 3:
            with pytest.raises(NotLeading):
                await channel.send(grace, SALE)
        else:  # all of it was on its way
            await channel.send(grace, SALE)
    finally:
        await channel.close()

    assert len(telegram_stand_in.messages) == (0 if looks < 3 else 1)


async def test_messages_that_were_held_up_together_do_not_go_out_at_once(
    telegram_stand_in: TelegramStandIn, channel: TelegramChannel, grace: Recipient
) -> None:
    """As by a client that was not ready, or by a machine that stood still."""
    pacer = Pacer(overall=Window(most=2, seconds=1), per_recipient=None, clock=SystemClock())
    turns, may_go = 0, asyncio.Event()

    async def send() -> None:
        nonlocal turns
        async with pacer.turn(grace.address):
            turns += 1
            await may_go.wait()
            await channel.send(grace, SALE)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(6):
            tasks.create_task(send())
        await until(lambda: turns >= 4)
        may_go.set()

    times = [message.received_at for message in telegram_stand_in.messages]
    spans = [later - earlier for earlier, later in zip(times, times[2:], strict=False)]
    assert len(times) == 6
    assert min(spans) > timedelta(seconds=0.9)
