"""The error tree and the contract: a class for each code, and no more."""

import pickle

import pytest

from api.errors import codes
from pingpilot.client import Accepted, ApiError, ClientError, DeliveryFailed, NotConfigured, Unreachable
from pingpilot.client.errors import Refusal

REFUSAL = Refusal(429, "too_many_requests", "Wait.", request_id="r-1", retry_after=7.0, details={"a": 1})
ACCEPTED = Accepted("evt_1", replayed=False, delivery_status="FAILED", deliveries=())


def test_each_code_of_the_contract_has_a_class_of_its_own() -> None:
    assert set(ApiError.classes) == set(codes())
    assert len(set(ApiError.classes.values())) == len(codes())


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
