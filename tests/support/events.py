"""Events for tests, accepted by the real intake."""

from models import Account, ApiKey
from pingpilot.accounts.callers import Authenticator, Caller
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.quota import PlanLimits
from pingpilot.clock import Clock
from pingpilot.events.submission import Acceptance, Submission
from tests.support.composition import Composition


async def caller_for(account: Account, clock: Clock, limits: PlanLimits | None = None) -> Caller:
    """Return the account as the API would see it now."""
    name = f"test {await ApiKey.filter(account_id=account.id).count()}"
    _, key = await create_key(account, name, clock.now())
    caller = await Authenticator(limits=limits or PlanLimits(), clock=clock).caller_of(key)
    assert caller is not None
    return caller


async def accept(account: Account, clock: Clock, *categories: str, description: str = "") -> list[Acceptance]:
    """Accept one event of each category, one commit each."""
    caller = await caller_for(account, clock)
    intake = Composition(clock=clock).intake
    return [
        await intake.submit(Submission(caller, name, description or f"Something about {name}", "{}"))
        for name in categories
    ]
