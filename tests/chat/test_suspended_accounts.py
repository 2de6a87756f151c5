"""What a chat is told whose account is suspended."""

from models import Account, Destination
from pingpilot.accounts.accounts import suspend_account
from pingpilot.accounts.linking import create_link_code
from tests.support.accounts import new_account

from .bots import Bots, OnTelegram
from .test_linking_a_chat import linked


async def test_a_suspended_accounts_chat_is_told_so(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    await linked(alice, on_telegram, bots)
    await suspend_account(alice, bots.clock.now())

    answers = [
        await on_telegram.ask(f"/{each}")
        for each in ("categories", "quota", "failed", "dashboard", "mute 2h", "unmute", "help")
    ]

    for answer in answers:
        assert "The account alice@example.com is suspended: ask whoever runs this server." in answer
    assert "Linked to alice@example.com." in answers[-1]
    assert "Unlinked from alice@example.com" in await on_telegram.ask("/unlink")


async def test_other_accounts_of_a_chat_are_served_and_nothing_is_linked_to_a_suspended_one(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    bob = await new_account(bots.clock, "bob@example.com")
    await linked(bob, on_telegram, bots)
    code = (await create_link_code(alice, bots.clock.now())).code
    await suspend_account(alice, bots.clock.now())

    refused = await on_telegram.ask(f"/link {code}")
    quota = await on_telegram.ask("/quota")

    assert "The account is suspended, and nothing can be linked to it" in refused
    assert quota.startswith("bob@example.com")
    assert not await Destination.filter(account_id=alice.id, user_id__isnull=False).exists()
