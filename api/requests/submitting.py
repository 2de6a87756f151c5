"""Handing an event to intake, whoever sends it: a program with a key, or its owner from the dashboard."""

import math

from api.errors import ApiError
from api.services import Services
from pingpilot.accounts.categories import unknown_category
from pingpilot.events.submission import (
    Acceptance,
    CategoryNotFound,
    IdempotencyKeyReused,
    NotStored,
    QuotaExceeded,
    Submission,
)


async def submit(services: Services, submission: Submission) -> Acceptance:
    """Return after the commit that holds the event.

    Raises the contract's `category_not_found`, `idempotency_key_reused` and `quota_exceeded`, each from a
    `Refused`, and `processing_failed`, or `DatabaseUnavailable` where nobody knows whether it was stored.
    """
    caller = submission.caller
    try:
        return await services.intake.submit(submission)
    except CategoryNotFound as exc:
        if caller.categories is not None:
            raise ApiError("category_not_found/removed", category=submission.category) from exc
        sentence = await unknown_category(caller.account_id, submission.category)
        raise ApiError("category_not_found", sentence=sentence) from exc
    except IdempotencyKeyReused as exc:
        raise ApiError("idempotency_key_reused") from exc
    except QuotaExceeded as exc:
        wait = math.ceil((exc.resets_at - services.clock.now()).total_seconds())
        raise ApiError(
            "quota_exceeded",
            limit=exc.limit,
            reset_date=exc.resets_at,
            wait=wait,
            contact=services.limits.contact,
        ) from exc
    except NotStored:
        raise ApiError("processing_failed/not_stored") from None
