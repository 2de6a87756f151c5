"""Groups, forums and channels in the Telegram stand-in, seen by python-telegram-bot."""

import pytest
from telegram import Bot, ChatMember, Update
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter

from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

ADA = TelegramUser(7_000_111_222, "ada", "Ada")
ALL = ["message", "channel_post", "my_chat_member"]


async def updates(bot: Bot) -> list[Update]:
    """Return the updates that wait, and confirm them."""
    found = list(await bot.get_updates(allowed_updates=ALL))
    if found:
        await bot.get_updates(offset=found[-1].update_id + 1)
    return found


async def heard(bot: Bot) -> list[str | None]:
    """Return what of the messages that wait reads as text."""
    return [each.effective_message.text for each in await updates(bot) if each.effective_message]


async def test_a_bot_that_is_added_is_told_so_and_may_write(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=grace)

    [added] = await updates(telegram_bot)
    sent = await telegram_bot.send_message(room.id, "hello")

    assert added.my_chat_member is not None
    assert added.my_chat_member.old_chat_member.status == ChatMember.LEFT
    assert added.my_chat_member.new_chat_member.status == ChatMember.MEMBER
    assert added.my_chat_member.chat.title == "Ops"
    assert (sent.chat.id, sent.chat.type, str(sent.chat.id)[:4]) == (room.id, "supergroup", "-100")


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
async def test_a_bot_that_is_no_member_any_more_is_refused_everything(
    telegram_stand_in: TelegramStandIn,
    telegram_bot: Bot,
    grace: TelegramUser,
    kind: str,
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=grace, kind=kind)  # type: ignore[arg-type]

    telegram_stand_in.rooms.set_bot(room, "kicked", by=grace)
    with pytest.raises(Forbidden, match=f"bot was kicked from the {kind} chat"):
        await telegram_bot.send_message(room.id, "hello")
    telegram_stand_in.rooms.set_bot(room, "left", by=grace)
    with pytest.raises(Forbidden, match=f"bot is not a member of the {kind} chat"):
        await telegram_bot.get_chat_member(room.id, grace.id)

    statuses = [each.my_chat_member.new_chat_member.status for each in await updates(telegram_bot)]  # type: ignore[union-attr]
    assert statuses[1:] == ["kicked", "left"]


async def test_a_bot_without_the_right_to_write_is_refused(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    rooms = telegram_stand_in.rooms
    group, channel = rooms.open("Ops", by=grace), rooms.open("News", by=grace, kind="channel")

    group.members_may_write = False
    with pytest.raises(BadRequest, match=r"(?i)not enough rights to send text messages to the chat"):
        await telegram_bot.send_message(group.id, "hello")
    rooms.set_bot(group, "administrator", by=grace)
    await telegram_bot.send_message(group.id, "an administrator may")
    rooms.set_bot(group, "restricted", by=grace)
    with pytest.raises(BadRequest, match=r"(?i)not enough rights"):
        await telegram_bot.send_message(group.id, "hello")
    rooms.set_bot(channel, "administrator", by=grace)
    with pytest.raises(BadRequest, match=r"(?i)need administrator rights in the channel chat"):
        await telegram_bot.send_message(channel.id, "hello")


async def test_topics_keep_messages_apart_and_end(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    rooms = telegram_stand_in.rooms
    forum, plain = rooms.open("Ops", by=grace, forum=True), rooms.open("Plain", by=grace)
    topic = rooms.open_topic(forum, "Deploys")

    sent = await telegram_bot.send_message(forum.id, "hello", message_thread_id=topic)
    general = await telegram_bot.send_message(forum.id, "hello")
    rooms.close_topic(forum, topic)
    with pytest.raises(BadRequest, match=r"(?i)topic_closed"):
        await telegram_bot.send_message(forum.id, "hello", message_thread_id=topic)
    rooms.set_bot(forum, "administrator", "can_manage_topics", by=grace)
    await telegram_bot.send_message(forum.id, "who manages topics may", message_thread_id=topic)
    rooms.delete_topic(forum, topic)
    for chat, thread in ((forum, topic), (forum, 1), (plain, topic)):  # General has no id that can be named
        with pytest.raises(BadRequest, match=r"(?i)message thread not found"):
            await telegram_bot.send_message(chat.id, "hello", message_thread_id=thread)

    assert (sent.message_thread_id, sent.is_topic_message) == (topic, True)
    assert (general.message_thread_id, general.is_topic_message) == (None, None)


async def test_a_message_in_a_topic_tells_which(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    forum = telegram_stand_in.rooms.open("Ops", by=grace, forum=True)
    topic = telegram_stand_in.rooms.open_topic(forum, "Deploys")
    with pytest.raises(TimeoutError):
        await telegram_stand_in.rooms.write(forum, "/help", by=grace, topic=topic, timeout=0.01)

    message = (await updates(telegram_bot))[-1].message

    assert message is not None
    assert (message.message_thread_id, message.is_topic_message, message.chat.is_forum) == (topic, True, True)
    assert message.reply_to_message is not None
    assert message.reply_to_message.forum_topic_created is not None
    assert message.reply_to_message.forum_topic_created.name == "Deploys"


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("hello", False),
        ("/help", True),
        ("/help@PingPilot_bot x", True),
        ("/help@other_bot", False),
        ("say /help", False),
    ],
)
async def test_a_bot_hears_commands_alone_unless_it_is_an_administrator(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser, text: str, is_shown: bool
) -> None:
    rooms = telegram_stand_in.rooms
    room = rooms.open("Ops", by=grace)

    for _ in range(2):
        with pytest.raises(TimeoutError):
            await rooms.write(room, text, by=grace, timeout=0.01)
        rooms.set_bot(room, "administrator", by=grace)

    assert await heard(telegram_bot) == [text] * (1 + is_shown)


async def test_who_writes_in_whose_name(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    rooms = telegram_stand_in.rooms
    group, channel = rooms.open("Ops", by=grace), rooms.open("News", by=grace, kind="channel")
    other = {"id": -1009, "type": "channel", "title": "Other"}
    for room, by, name in (
        (group, grace, None),
        (group, None, None),
        (group, None, other),
        (channel, None, None),
    ):
        with pytest.raises(TimeoutError):
            await rooms.write(room, "/help", by=by, in_the_name_of=name, timeout=0.01)

    own, anonymous, as_channel, post = (await updates(telegram_bot))[-4:]

    assert own.message
    assert anonymous.message
    assert as_channel.message
    assert post.channel_post
    assert own.message.from_user
    assert (own.message.from_user.id, own.message.sender_chat) == (grace.id, None)
    assert anonymous.message.from_user
    assert anonymous.message.from_user.username == "GroupAnonymousBot"
    assert anonymous.message.sender_chat == anonymous.message.chat
    assert as_channel.message.from_user
    assert as_channel.message.from_user.username == "Channel_Bot"
    assert as_channel.message.sender_chat
    assert as_channel.message.sender_chat.id == -1009
    assert (post.channel_post.from_user, post.channel_post.sender_chat) == (None, post.channel_post.chat)


async def test_members_are_known_with_their_status(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=grace)
    statuses: list[str] = []
    for status in ("administrator", "member", "restricted", "left", "kicked"):
        room.admit(ADA, status)
        statuses.append((await telegram_bot.get_chat_member(room.id, ADA.id)).status)
    owner = await telegram_bot.get_chat_member(room.id, grace.id)

    with pytest.raises(BadRequest, match=r"(?i)member not found"):
        await telegram_bot.get_chat_member(room.id, 4711)
    room.members_hidden = True
    with pytest.raises(BadRequest, match=r"(?i)member list is inaccessible"):
        await telegram_bot.get_chat_member(room.id, grace.id)
    telegram_stand_in.rooms.set_bot(room, "administrator", by=grace)

    assert statuses == ["administrator", "member", "restricted", "left", "kicked"]
    assert owner.status == (await telegram_bot.get_chat_member(room.id, grace.id)).status == "creator"
    assert (await telegram_bot.get_chat_member(room.id, telegram_bot.id)).status == "administrator"


async def test_messages_of_others_are_deleted_by_those_who_may(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=grace)
    with pytest.raises(TimeoutError):
        await telegram_stand_in.rooms.write(room, "/link X", by=grace, timeout=0.01)
    message = (await updates(telegram_bot))[-1].message
    assert message is not None
    own = await telegram_bot.send_message(room.id, "hello")

    with pytest.raises(BadRequest, match=r"(?i)message can't be deleted"):
        await telegram_bot.delete_message(room.id, message.message_id)
    telegram_stand_in.rooms.set_bot(room, "administrator", by=grace)
    with pytest.raises(BadRequest, match=r"(?i)message can't be deleted"):
        await telegram_bot.delete_message(room.id, message.message_id)
    telegram_stand_in.rooms.set_bot(room, "administrator", "can_delete_messages", by=grace)
    await telegram_bot.delete_message(room.id, message.message_id)
    await telegram_bot.delete_message(room.id, own.message_id)

    assert telegram_stand_in.deleted == [(room.id, message.message_id), (room.id, own.message_id)]


async def test_a_group_becomes_a_supergroup_with_another_id(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=grace, kind="group")

    old = telegram_stand_in.rooms.upgrade(room, by=grace)
    with pytest.raises(ChatMigrated) as moved:
        await telegram_bot.send_message(old, "hello")
    await telegram_bot.send_message(room.id, "hello")

    assert moved.value.new_chat_id == room.id != old
    before, after = (each.message for each in (await updates(telegram_bot))[-2:])
    assert before
    assert after
    assert (before.chat.id, before.migrate_to_chat_id) == (old, room.id)
    assert (after.chat.id, after.migrate_from_chat_id) == (room.id, old)


async def test_a_deleted_group_takes_nothing(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    room = telegram_stand_in.rooms.open("Ops", by=grace, kind="group")
    room.is_deleted = True

    with pytest.raises(Forbidden, match="the group chat was deleted"):
        await telegram_bot.send_message(room.id, "hello")


async def test_a_room_takes_twenty_messages_a_minute(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    telegram_stand_in.chat_limit = None
    room = telegram_stand_in.rooms.open("Ops", by=grace)

    for _ in range(20):
        await telegram_bot.send_message(room.id, "hello")
    with pytest.raises(RetryAfter):
        await telegram_bot.send_message(room.id, "hello")
