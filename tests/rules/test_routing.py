"""Which channels a category's events go to."""

import pytest

from models import KeyScope
from models.names import joined, split
from pingpilot.accounts.callers import Caller, Target
from pingpilot.events.routing import Route

BOTH = ("discord", "email")


def caller(usable: tuple[str, ...], suspended: tuple[str, ...] = ()) -> Caller:
    return Caller(
        key_id=1,
        account_id=1,
        is_suspended=False,
        email="alice@example.com",
        scope=KeyScope.SEND,
        categories=None,
        limit=100,
        events_used=0,
        unlinked=(),
        suspended=tuple(Target(name, name) for name in suspended),
        targets=tuple(Target(name, name) for name in usable),
    )


@pytest.mark.parametrize(
    ("route", "usable", "suspended", "expected"),
    [
        pytest.param(Route(), BOTH, (), BOTH, id="all by default"),
        pytest.param(Route(()), BOTH, (), (), id="none at all"),
        pytest.param(Route(("email",)), BOTH, (), ("email",), id="only the chosen"),
        pytest.param(Route(("telegram",)), BOTH, (), (), id="the chosen is off"),
        pytest.param(Route(("discord",), "email"), BOTH, (), ("discord",), id="the fallback waits"),
        pytest.param(Route(fallback="email"), BOTH, (), ("discord",), id="the fallback is no first choice"),
        pytest.param(Route(("telegram",), "email"), BOTH, (), ("email",), id="nothing else can be used"),
        pytest.param(
            Route(("discord", "telegram"), "email"),
            BOTH,
            ("telegram",),
            BOTH,
            id="one of the chosen is suspended",
        ),
        pytest.param(Route(fallback="email"), BOTH, ("telegram",), BOTH, id="one of all is suspended"),
        pytest.param(
            Route(("discord",), "email"), BOTH, ("telegram",), ("discord",), id="another is suspended"
        ),
        pytest.param(Route(("discord",), "email"), ("discord",), (), ("discord",), id="the fallback is off"),
        pytest.param(
            Route(fallback="email"), ("discord",), ("email",), ("discord",), id="the fallback is suspended"
        ),
        pytest.param(
            Route(fallback="email"), ("email",), (), ("email",), id="there is nothing but the fallback"
        ),
    ],
)
def test_an_event_goes_where_its_category_says(
    route: Route, usable: tuple[str, ...], suspended: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    chosen = route.targets_for(caller(usable, suspended))

    assert tuple(each.name for each in chosen) == expected


@pytest.mark.parametrize("names", [None, (), ("email",), ("discord", "email")])
def test_names_come_back_as_they_were_stored(names: tuple[str, ...] | None) -> None:
    stored = joined(names)

    assert split(stored) == names
