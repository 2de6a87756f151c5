"""Looking names up without ever holding up a stop.

The event loop does it in threads that are waited for when the process ends, however long a name server
takes. These are not.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def in_thread(look_up: Callable[[], T]) -> "asyncio.Future[T]":
    """Return what `look_up` will return, or raise: it runs in a thread that nobody waits for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may ask for it

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # it is there where there is no error

    def work() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = look_up()
        except (OSError, ValueError) as exc:  # ValueError: a name that no name server can be asked for
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="look up a name", daemon=True).start()
    return future
