"""The error tree and the contract: a class for each code, and no more."""

import pickle
import re
from pathlib import Path

import pytest

from pingpilot.client import Accepted, ApiError, ClientError, DeliveryFailed, NotConfigured, Unreachable
from pingpilot.client.errors import Refusal

README = Path(__file__).parents[2] / "README.md"
CODES = {
    "missing_authorization",
    "invalid_authorization_format",
    "invalid_api_key",
    "payload_too_large",
    "invalid_json",
    "validation_error",
    "discord_id_not_set",
    "telegram_username_not_set",
    "category_not_found",
    "quota_exceeded",
    "idempotency_key_reused",
    "processing_failed",
    "shutting_down",
    "not_found",
    "method_not_allowed",
    "too_many_requests",
}
"""The codes of the contract, version 1."""
REFUSAL = Refusal(429, "too_many_requests", "Wait.", "r-1", 7.0, {"a": 1})
ACCEPTED = Accepted("evt_1", replayed=False, delivery_status="FAILED", deliveries=())


def test_each_code_of_the_contract_has_a_class_of_its_own() -> None:
    assert set(ApiError.classes) == CODES
    assert len(set(ApiError.classes.values())) == len(CODES)


def test_each_code_of_the_readme_has_a_class() -> None:
    table = README.read_text().partition("| status | code |")[2].partition("\n\n")[0]

    codes = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", table))

    assert len(codes) > 10
    assert codes <= set(ApiError.classes)


@pytest.mark.parametrize(
    "error",
    [
        *(kind(REFUSAL) for kind in ApiError.classes.values()),
        ApiError(REFUSAL),
        DeliveryFailed(REFUSAL, ACCEPTED),
        Unreachable("Nobody is there.", 3.0),
        NotConfigured("There is no key", "PINGPILOT_API_KEY"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_travels_between_processes(error: ClientError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # of our own making

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
