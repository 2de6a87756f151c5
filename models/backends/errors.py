"""What the databases raise, as errors of ours."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType, TracebackType

from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
from tortoise.exceptions import IntegrityError, TransactionManagementError

from pingpilot.errors import DatabaseUnavailable, PingPilotError, Undone

Errors = tuple[type[Exception], ...]
_NOTHING: Mapping[type[Exception], str] = MappingProxyType({})
OF_ALL: Errors = (OSError, TransactionManagementError)
"""Failures that any driver, or Tortoise for it, may raise."""


class IntegrityConflict(PingPilotError, IntegrityError):
    """A row is there already, or what it refers to is gone.

    Tortoise's kind as well, which its `get_or_create` waits for.
    """


@contextmanager
def as_ours(
    *,
    failures: Errors,
    conflicts: Errors,
    undone: Errors = (),
    told: Mapping[type[Exception], str] = _NOTHING,
) -> Iterator[None]:
    """Raise a driver's `conflicts` as `IntegrityConflict`, what it has `undone` as `Undone`, and its other
    `failures` as `DatabaseUnavailable`.

    `told` is what to say instead of the driver's own words, of which only the first line is passed on: the
    others are advice for programmers, or what stands in a row.
    """
    try:
        yield
    except conflicts as exc:
        raise IntegrityConflict(f"The database refused a row: {exc}") from exc
    except failures as exc:
        kind = Undone if isinstance(exc, undone) else DatabaseUnavailable
        raise kind(told.get(type(exc)) or in_short(exc)) from exc


def in_short(error: Exception) -> str:
    """Return an error's kind and the first line of what it says."""
    lines = str(error).splitlines() or (["no answer in time"] if isinstance(error, TimeoutError) else [])
    return ": ".join([type(error).__name__, *lines[:1]])


def no_answer_within(seconds: float) -> DatabaseUnavailable:
    """Return the error of a call whose time is over."""
    return DatabaseUnavailable(f"The database did not answer within {seconds:g} seconds.")


class GuardedTransaction(TransactionContext):
    """A transaction whose begin and end raise our errors; what is raised within it passes as it is."""

    def __init__(
        self, transaction: TransactionContext, our_errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._transaction = transaction
        self._our_errors = our_errors

    async def __aenter__(self) -> TransactionalDBClient:
        with self._our_errors():
            return await self._transaction.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._our_errors():
            await self._transaction.__aexit__(kind, error, trace)
