"""The Telegram bot in groups, topics and channels: who may link them, what it answers, how it loses them."""

import asyncio
from datetime import timedelta

import pytest
import structlog
from pydantic import SecretStr

from bots.telegram.application import HANDLERS
from bots.telegram.channel import TelegramChannel
from models import Account, Destination, Event
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.linking import create_link_code
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramRoom, TelegramUser
from pingpilot.sandbox.telegram.rooms import RoomType, Status
from tests.channels.standins import TOKEN
from tests.support.accounts import new_account
from tests.support.composition import Composition, running
from tests.support.waiting import eventually, until

from .bots import ADA_ON_TELEGRAM, ON_BOTH_DATABASES, Bots, OnTelegram

ADA = ADA_ON_TELEGRAM
BEA = TelegramUser(7_123_456_790, "bea", "Bea")
PRIVATE_CHAT = {"inline_keyboard": [[{"text": "Open our private chat", "url": "https://t.me/pingpilot_bot"}]]}
TITLES = {
    "🚨🔥": ("room", "🚨🔥"),
    "<b>Ops</b> & @everyone": ("b-ops-b-everyone", "<b>Ops</b> & @everyone"),
    "Ops \u202egpj.exe\nline\x00two\ud800": ("ops-gpj-exe-linetwo", "Ops gpj.exe linetwo"),
    "\u2800": ("room", "—"),
    "None": ("none-room", "None"),
    "Telegram": ("telegram-room", "Telegram"),
    "é" * 300: ("e" * 28, "é" * 256),
}
"""What a room may be called, what its destination is called then, and what is shown of the title."""
REFUSED = "Only administrators can link or unlink this room: ask one of them."
KINDS: list[RoomType] = ["group", "supergroup", "channel"]


def room_of(ada: OnTelegram, kind: RoomType = "supergroup", *, forum: bool = False) -> TelegramRoom:
    """Return a room that Ada made, with the bot in it."""
    return ada.stand_in.rooms.open("Ops & Alerts", by=ada.user, kind=kind, forum=forum)


async def code_for(account: Account, bots: Bots, room: str | None = None) -> str:
    return (await create_link_code(account, bots.clock.now(), room=room)).code


async def linked(
    ada: OnTelegram, account: Account, bots: Bots, kind: RoomType = "supergroup", topic: str | None = None
) -> tuple[TelegramRoom, int | None]:
    """Return a room, or a topic of one, that is linked as `ops`."""
    room = room_of(ada, kind, forum=topic is not None)
    thread = ada.stand_in.rooms.open_topic(room, topic) if topic else None
    code = await code_for(account, bots, "ops")
    by = None if kind == "channel" else ada.user
    await ada.stand_in.rooms.write(room, f"/link {code}", by=by, topic=thread)
    return room, thread


async def told() -> list[str]:
    """Return what was said to owners and rooms, in order."""
    return [event.description for event in await Event.filter(notice=True).order_by("id")]


async def suspended() -> str:
    """Return why the room is suspended, nothing where it is not."""
    return (await Destination.get(name="ops")).suspended_reason or ""


async def test_the_menu_of_a_group_offers_what_works_there(on_telegram: OnTelegram) -> None:
    offered = [each["command"] for each in on_telegram.stand_in.menus["all_group_chats"]]

    assert offered == ["link", "unlink", "help"]


@pytest.mark.parametrize(
    "form", ["/link {}", "/link@pingpilot_bot {}", "/start@pingpilot_bot {}", "/link <{}>"]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_administrator_links_a_room(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, kind: RoomType, form: str
) -> None:
    room, code = room_of(on_telegram, kind), await code_for(mailed, bots)
    by = None if kind == "channel" else on_telegram.user

    [reply] = await on_telegram.stand_in.rooms.write(room, form.format(code), by=by)

    row = await Destination.get(name="ops-alerts")
    assert reply.text.startswith("✅ This room is linked as ops-alerts.")
    assert (row.account_id, row.kind, row.address, row.topic) == (mailed.id, "room", str(room.id), None)
    assert row.title == "Ops & Alerts"
    assert "alice" not in reply.text + (await told())[0]
    assert set(bots.woken) == {"telegram", "email"}


@ON_BOTH_DATABASES
async def test_a_code_for_a_room_names_it(on_telegram: OnTelegram, mailed: Account, bots: Bots) -> None:
    await linked(on_telegram, mailed, bots)

    row = await Destination.get(name="ops")
    assert (row.user_id, row.username) == (on_telegram.user_id, "ada")


@ON_BOTH_DATABASES
async def test_a_topic_is_linked_by_itself_and_answered_there(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    rooms = on_telegram.stand_in.rooms
    forum = room_of(on_telegram, forum=True)
    topic = rooms.open_topic(forum, "Deploys")

    [in_topic] = await rooms.write(
        forum, f"/link {await code_for(mailed, bots)}", by=on_telegram.user, topic=topic
    )
    [in_general] = await rooms.write(forum, f"/link {await code_for(mailed, bots)}", by=on_telegram.user)

    row = await Destination.get(name="ops-alerts-deploys")
    assert (row.kind, row.address, row.topic) == ("topic", str(forum.id), str(topic))
    assert (await Destination.get(name="ops-alerts")).topic is None
    assert (in_topic.topic, in_general.topic) == (topic, None)


async def test_the_test_notification_arrives_in_the_topic_that_was_linked(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    stand_in = on_telegram.stand_in
    channel = TelegramChannel(token=SecretStr(TOKEN), api_url=stand_in.url)
    poll = timedelta(milliseconds=10)

    async with running(Composition(clock=bots.clock).dispatcher(channel, poll=poll)):
        forum, topic = await linked(on_telegram, mailed, bots, topic="Deploys")
        answer, test = sorted(await stand_in.wait_for_messages(2, timeout=30), key=lambda each: each.text)
    await channel.close()

    assert answer.text.startswith("✅ This room is linked as ops.")
    assert test.text.endswith("This room is linked as 'ops'. Notifications for it arrive here from now on.")
    assert {(each.chat_id, each.topic) for each in (answer, test)} == {(forum.id, topic)}
    assert "alice" not in answer.text + test.text


async def test_an_anonymous_administrator_is_one(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room = room_of(on_telegram)

    [reply] = await on_telegram.stand_in.rooms.write(room, f"/link {await code_for(mailed, bots)}")

    assert reply.text.startswith("✅")
    assert (await told())[-1].split(", by ")[1].startswith("an administrator in the room's own name.")


@ON_BOTH_DATABASES
@pytest.mark.parametrize("status", ["member", "restricted", None])
async def test_others_are_told_to_ask_an_administrator(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, status: str | None
) -> None:
    room, code = room_of(on_telegram), await code_for(mailed, bots)
    if status:
        room.admit(BEA, status)  # type: ignore[arg-type]

    [link] = await on_telegram.stand_in.rooms.write(room, f"/link {code}", by=BEA)
    [unlink] = await on_telegram.stand_in.rooms.write(room, "/unlink", by=BEA)
    room.admit(BEA, "administrator")
    [later] = await on_telegram.stand_in.rooms.write(room, f"/link {code}", by=BEA)

    assert (link.text, unlink.text) == (REFUSED, REFUSED)
    assert later.text.startswith("✅")  # the code was not used up


async def test_who_writes_in_the_name_of_another_channel_is_no_administrator(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room = room_of(on_telegram)
    other = {"id": -1009, "type": "channel", "title": "Other"}

    [reply] = await on_telegram.stand_in.rooms.write(
        room, f"/link {await code_for(mailed, bots)}", in_the_name_of=other
    )

    assert reply.text == REFUSED


async def test_who_posts_in_a_channel_is_an_administrator_in_whoevers_name(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room = room_of(on_telegram, "channel")
    other = {"id": -1009, "type": "channel", "title": "Other"}

    [reply] = await on_telegram.stand_in.rooms.write(
        room, f"/link {await code_for(mailed, bots)}", in_the_name_of=other
    )

    assert reply.text.startswith("✅")


@ON_BOTH_DATABASES
async def test_who_sends_ten_wrong_codes_locks_out_nobody_else(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room, rooms = room_of(on_telegram), on_telegram.stand_in.rooms
    room.admit(BEA, "administrator")
    for _ in range(10):
        await rooms.write(room, "/link AAAAAAAA", by=BEA)
    code = await code_for(mailed, bots)

    [refused] = await rooms.write(room, f"/link {code}", by=BEA)
    elsewhere = await on_telegram.stand_in.say(BEA, f"/link {code}")
    [linked] = await rooms.write(room, f"/link {code}", by=on_telegram.user)

    too_many = "There were too many wrong codes. Wait an hour, then try again with a new code."
    assert [refused.text, elsewhere[0].text] == [too_many, too_many]
    assert linked.text.startswith("✅")


@ON_BOTH_DATABASES
async def test_a_code_that_two_rooms_get_at_once_links_one(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    rooms, code = on_telegram.stand_in.rooms, await code_for(mailed, bots)
    places = [room_of(on_telegram) for _ in range(4)]

    answers = await asyncio.gather(
        *(rooms.write(room, f"/link {code}", by=on_telegram.user) for room in places)
    )

    texts = sorted(answer.text for [answer] in answers)
    assert texts[:3] == ["This code was used already. Get a new one."] * 3
    assert texts[3].startswith("✅")
    assert await Destination.filter(kind="room").count() == 1


async def test_a_code_for_a_room_links_no_private_chat_and_stays_good(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room, code = room_of(on_telegram), await code_for(mailed, bots, "ops")

    in_private = await on_telegram.ask(f"/link {code}")
    [in_room] = await on_telegram.stand_in.rooms.write(room, f"/link {code}", by=on_telegram.user)

    assert in_private.startswith(
        "This code is for a room, to be called 'ops': send it in the Telegram group,"
    )
    assert in_room.text.startswith("✅ This room is linked as ops.")


@ON_BOTH_DATABASES
@pytest.mark.parametrize("title", TITLES)
async def test_a_room_may_be_called_anything(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, title: str
) -> None:
    room = on_telegram.stand_in.rooms.open(title, by=on_telegram.user)

    [reply] = await on_telegram.stand_in.rooms.write(
        room, f"/link {await code_for(mailed, bots)}", by=on_telegram.user
    )

    row = await Destination.get(address=str(room.id))
    assert reply.text.startswith(f"✅ This room is linked as {row.name}.")
    assert (row.name, row.title) == TITLES[title]


async def test_where_members_are_hidden_the_bot_has_to_be_an_administrator(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room, rooms = room_of(on_telegram), on_telegram.stand_in.rooms
    room.members_hidden = True

    [hidden] = await rooms.write(room, f"/link {await code_for(mailed, bots)}", by=on_telegram.user)
    rooms.set_bot(room, "administrator", by=on_telegram.user)
    [seen] = await rooms.write(room, f"/link {await code_for(mailed, bots)}", by=on_telegram.user)

    assert hidden.text == (
        "Telegram doesn't tell me who is an administrator here: make me one, then try again."
    )
    assert seen.text.startswith("✅")


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.status(429, retry_after=5), Fault.drop()])
async def test_where_telegram_is_away_nobody_is_taken_for_an_administrator(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, fault: Fault
) -> None:
    room, stand_in = room_of(on_telegram), on_telegram.stand_in
    code = await code_for(mailed, bots)
    stand_in.faults.add(fault, route="getChatMember")

    with structlog.testing.capture_logs() as log:
        [reply] = await stand_in.rooms.write(room, f"/link {code}", by=on_telegram.user)
    [again] = await stand_in.rooms.write(room, f"/link {code}", by=on_telegram.user)

    assert reply.text == "Something went wrong on our side. Please try again in a moment."
    assert {each["log_level"] for each in log} == {"info"}
    assert again.text.startswith("✅")


@pytest.mark.parametrize("said", ["code", "key", "a wrong code"])
@pytest.mark.parametrize("by", ["an administrator", "somebody"])
async def test_a_code_does_not_stay_readable_where_the_bot_may_delete(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, said: str, by: str
) -> None:
    room, rooms = room_of(on_telegram), on_telegram.stand_in.rooms
    rooms.set_bot(room, "administrator", "can_delete_messages", by=on_telegram.user)
    words = "AAAAAAAA"
    if said == "key":
        _, words = await create_key(mailed, "chat", bots.clock.now())
    elif said == "code":
        words = await code_for(mailed, bots)

    await rooms.write(room, f"/link {words}", by=on_telegram.user if by == "an administrator" else BEA)

    assert [chat for chat, _ in on_telegram.stand_in.deleted] == [room.id]


@pytest.mark.parametrize("part", ["all of it", "a part of it"])
@pytest.mark.parametrize("by", [ADA, BEA, None])
async def test_a_key_links_no_room_whoever_sends_it(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, by: TelegramUser | None, part: str
) -> None:
    _, key = await create_key(mailed, "chat", bots.clock.now())
    sent = key if part == "all of it" else key[:-1]

    with structlog.testing.capture_logs() as log:
        [reply] = await on_telegram.stand_in.rooms.write(room_of(on_telegram), f"/link {sent}", by=by)

    assert reply.text == (
        "An API key is not for a room, where others read it: revoke this one, and use a link code."
    )
    assert key[3:-1] not in str(log)
    assert not await Destination.filter(kind="room").exists()


@pytest.mark.parametrize(
    "command", ["quota", "categories", "failed", "mute", "unmute", "quota@pingpilot_bot"]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_about_an_account_is_answered_in_private(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, kind: RoomType, command: str
) -> None:
    room, _ = await linked(on_telegram, mailed, bots, kind)
    by = None if kind == "channel" else on_telegram.user

    [reply] = await on_telegram.stand_in.rooms.write(room, f"/{command}", by=by)

    name = command.partition("@")[0]
    assert reply.text == f"Others read along here: send me /{name} in our private chat."
    assert reply.reply_markup == PRIVATE_CHAT


@pytest.mark.parametrize("command", ["/help", "/start", "/help@PingPilot_Bot"])
async def test_help_says_what_works_in_a_room(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, command: str
) -> None:
    room, _ = await linked(on_telegram, mailed, bots)

    [reply] = await on_telegram.stand_in.rooms.write(room, command, by=BEA)

    assert reply.text.startswith(
        "I bring notifications from programs into this room. It is linked.\n/link CODE"
    )
    assert reply.reply_markup == PRIVATE_CHAT
    assert "alice" not in reply.text


@pytest.mark.parametrize(
    "text", ["hello", "/link@other_bot AAAAAAAA", "/quota@other_bot", "/surprise", "say /help"]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_for_the_bot_is_left_alone(
    on_telegram: OnTelegram, kind: RoomType, text: str
) -> None:
    room, rooms = room_of(on_telegram, kind), on_telegram.stand_in.rooms
    if kind != "channel":  # it hears everything then
        rooms.set_bot(room, "administrator", by=on_telegram.user)

    with pytest.raises(TimeoutError):
        await rooms.write(room, text, by=None if kind == "channel" else on_telegram.user, timeout=0.2)

    assert (await on_telegram.ask("/help")).startswith("I bring you")
    assert len(on_telegram.stand_in.messages) == 1


@pytest.mark.parametrize(
    "mark",
    [
        {"is_automatic_forward": True},
        {
            "forward_origin": {
                "type": "hidden_user",
                "date": 1,
                "sender_user_name": "Eve",
            }
        },
    ],
)
async def test_what_is_forwarded_was_not_said_to_the_bot(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, mark: dict[str, object]
) -> None:
    room, _ = await linked(on_telegram, mailed, bots)
    before = len(on_telegram.stand_in.messages)
    message = {
        "message_id": 999,
        "date": 1,
        "from": on_telegram.user.as_json(),
        "chat": room.as_json(),
        "text": "/unlink",
        "entities": [{"type": "bot_command", "offset": 0, "length": 7}],
    }

    on_telegram.stand_in.send_update("message", message | mark)
    await on_telegram.ask("/help")

    assert await Destination.exists(name="ops")
    assert len(on_telegram.stand_in.messages) == before + 1


@ON_BOTH_DATABASES
async def test_an_administrator_unlinks_a_room(on_telegram: OnTelegram, mailed: Account, bots: Bots) -> None:
    forum, topic = await linked(on_telegram, mailed, bots, topic="Deploys")
    rooms = on_telegram.stand_in.rooms

    [in_general] = await rooms.write(forum, "/unlink", by=on_telegram.user)
    [in_topic] = await rooms.write(forum, "/unlink", by=on_telegram.user, topic=topic)

    assert in_general.text == "This room is not linked."
    assert in_topic.text == "This room is unlinked. No more notifications come here."
    assert not await Destination.exists(name="ops")


@ON_BOTH_DATABASES
async def test_all_that_came_to_lead_to_a_room_ends_with_it(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    forum, topic = await linked(on_telegram, mailed, bots, topic="Deploys")
    bob, rooms = (
        await new_account(bots.clock, "bob@example.com", channels=["email"]),
        on_telegram.stand_in.rooms,
    )
    await rooms.write(forum, f"/link {await code_for(bob, bots, 'all-of-it')}", by=on_telegram.user)
    await Destination.leave_topic("telegram", str(forum.id), str(topic))  # as when the topic is deleted

    [again] = await rooms.write(forum, f"/link {await code_for(bob, bots)}", by=on_telegram.user)
    [help_] = await rooms.write(forum, "/help", by=on_telegram.user)
    [unlinked] = await rooms.write(forum, "/unlink", by=on_telegram.user)

    assert again.text == "This room is linked to another account: send /unlink here first."
    assert "It is linked." in help_.text
    assert unlinked.text == "This room is unlinked. No more notifications come here."
    assert not await Destination.filter(address=str(forum.id)).exists()
    who = "was unlinked, in the room, by @ada."
    room = 'The Telegram room "Ops & Alerts"'
    assert (await told())[-2:] == [f"{room} ('ops') {who}", f"{room} ('all-of-it') {who}"]


async def test_the_private_chat_stays_linked_beside_a_room(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await on_telegram.ask(f"/link {await code_for(mailed, bots)}")
    room, _ = await linked(on_telegram, mailed, bots)
    await on_telegram.stand_in.rooms.write(room, "/unlink", by=on_telegram.user)

    assert (await Destination.get(name="telegram")).address == on_telegram.user_id
    assert "alice@example.com" in await on_telegram.ask("/quota")


LOST: dict[str, tuple[RoomType, Status, str]] = {
    "kicked from a group": ("group", "kicked", "The bot was removed from the group."),
    "gone from a supergroup": ("supergroup", "left", "The bot was removed from the group."),
    "muted": ("supergroup", "restricted", "The bot may not write in the group any more."),
    "gone from a channel": ("channel", "left", "The bot was removed from the channel."),
    "may not post": ("channel", "administrator", "The bot may not write in the channel any more."),
}


@ON_BOTH_DATABASES
@pytest.mark.parametrize("case", LOST)
async def test_a_room_that_the_bot_loses_is_suspended_and_its_owner_told(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, case: str
) -> None:
    kind, status, reason = LOST[case]
    room, _ = await linked(on_telegram, mailed, bots, kind)

    bots.woken.clear()

    on_telegram.stand_in.rooms.set_bot(room, status, by=BEA)
    await eventually(suspended, reason)

    await until(lambda: bots.woken == ["email"])
    assert (await told())[-1] == (
        f"The destination 'ops' (Telegram) is suspended: {reason} "
        "To go on, let the bot write there again, then switch it on or link it again."
    )


@ON_BOTH_DATABASES
async def test_a_bot_that_comes_back_needs_a_link_again(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room, _ = await linked(on_telegram, mailed, bots)
    rooms = on_telegram.stand_in.rooms
    rooms.set_bot(room, "kicked", by=BEA)
    await eventually(suspended, "The bot was removed from the group.")

    rooms.set_bot(room, "member", by=BEA)
    rooms.set_bot(room, "administrator", by=BEA)
    await rooms.write(room, "/help", by=BEA)
    before = await suspended()
    [again] = await rooms.write(room, f"/link {await code_for(mailed, bots)}", by=on_telegram.user)

    assert before == "The bot was removed from the group."
    assert again.text.startswith("✅ This room is linked as ops.")
    assert await suspended() == ""


@pytest.mark.parametrize(
    ("status", "rights"), [("restricted", ("can_send_messages",)), ("administrator", ())]
)
async def test_a_bot_that_may_still_write_keeps_its_room(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, status: str, rights: tuple[str, ...]
) -> None:
    room, _ = await linked(on_telegram, mailed, bots)

    on_telegram.stand_in.rooms.set_bot(room, status, *rights, by=BEA)  # type: ignore[arg-type]
    await on_telegram.stand_in.rooms.write(room, "/help", by=BEA)

    assert await suspended() == ""


async def test_somebody_who_blocks_the_bot_and_comes_back_loses_nothing(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await on_telegram.ask(f"/link {await code_for(mailed, bots)}")

    on_telegram.stand_in.block(on_telegram.user.id)
    on_telegram.stand_in.unblock(on_telegram.user.id)
    await on_telegram.ask("/help")

    assert (await Destination.get(name="telegram")).suspended_reason is None


@ON_BOTH_DATABASES
async def test_a_group_that_becomes_a_supergroup_takes_its_link_along(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room, _ = await linked(on_telegram, mailed, bots, "group")

    old = on_telegram.stand_in.rooms.upgrade(room, by=on_telegram.user)

    async def address() -> str:
        return str((await Destination.get(name="ops")).address)

    await eventually(address, str(room.id))
    [reply] = await on_telegram.stand_in.rooms.write(room, "/help", by=on_telegram.user)
    assert "It is linked." in reply.text
    assert str(old) != str(room.id)
    assert await suspended() == ""


async def test_an_answer_that_a_room_does_not_take_is_no_error(on_telegram: OnTelegram) -> None:
    room, stand_in = room_of(on_telegram), on_telegram.stand_in
    stand_in.faults.add(Fault.status(429, retry_after=3600), route="sendMessage")
    room.members_may_write = False

    with structlog.testing.capture_logs() as log:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await stand_in.rooms.write(room, "/help", by=on_telegram.user, timeout=0.2)
        await until(lambda: len(log) == 2)
        answer = await on_telegram.ask("/help")

    assert {each["log_level"] for each in log} == {"info"}
    assert "not enough rights" in log[-1]["reason"].lower()
    assert answer.startswith("I bring you")


async def test_an_answer_comes_after_the_pause_that_telegram_asks_for(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    room, stand_in = room_of(on_telegram), on_telegram.stand_in
    stand_in.faults.add(Fault.status(429, retry_after=1), times=2, route="sendMessage")

    [reply] = await stand_in.rooms.write(
        room, f"/link {await code_for(mailed, bots)}", by=on_telegram.user, timeout=30
    )

    assert reply.text.startswith("✅ This room is linked as ops-alerts.")


async def test_a_room_that_has_to_wait_for_answers_holds_up_nobody_else(on_telegram: OnTelegram) -> None:
    room, stand_in = room_of(on_telegram), on_telegram.stand_in
    asked = 2 * HANDLERS
    stand_in.faults.add(Fault.status(429, retry_after=100), times=asked, route="sendMessage")

    waiting = [
        asyncio.create_task(stand_in.rooms.write(room, "/help", by=on_telegram.user, timeout=100))
        for _ in range(asked)
    ]
    await stand_in.wait_for_calls("sendMessage", asked)
    answer = await on_telegram.ask("/help")

    assert answer.startswith("I bring you")
    for each in waiting:
        each.cancel()
