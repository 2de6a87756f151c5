"""Which of an account's channels can be used: the same by the rule, by the models and in SQL."""

from itertools import product

from models import Destination
from models.database import connection
from models.destination import USABLE, Obstacle, obstacle_to
from models.sql import query
from tests.support.accounts import new_account
from tests.support.clock import ManualClock

KINDS = tuple(product((True, False), ("an-address", None), (None, "It is gone.")))


async def test_all_who_ask_get_the_same_answer(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await Destination.filter(account_id=account.id).delete()
    for number, (enabled, address, reason) in enumerate(KINDS):
        await Destination.create(
            account_id=account.id,
            channel="email",
            kind="direct",
            name=str(number),
            enabled=enabled,
            address=address,
            suspended_reason=reason,
        )

    by_models = {row.name for row in await Destination.usable(account.id)}
    by_sql = await query(connection(), f"SELECT dest.name FROM destinations dest WHERE {USABLE}")  # noqa: S608
    by_rule = {
        str(number)
        for number, (enabled, address, reason) in enumerate(KINDS)
        if obstacle_to(enabled=enabled, address=address, suspended_reason=reason) is None
    }

    assert by_models == {row["name"] for row in by_sql} == by_rule == {"0"}


def test_what_is_switched_off_comes_before_what_else_is_missing() -> None:
    obstacles = [
        obstacle_to(enabled=enabled, address=address, suspended_reason=reason)
        for enabled, address, reason in KINDS
    ]

    linked, unlinked = [None, Obstacle.SUSPENDED], [Obstacle.UNLINKED, Obstacle.UNLINKED]
    assert obstacles == [*linked, *unlinked, *[Obstacle.OFF] * 4]
