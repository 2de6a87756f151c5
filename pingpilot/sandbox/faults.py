"""Ways in which a stand-in can misbehave, and the queue it takes them from."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SmtpStage = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "noop", "message"]
"""Where an SMTP fault strikes; `message` is the answer to the final dot."""
EndlessPart = Literal["headers", "slow headers", "body", "slow body"]
"""What of an HTTP answer never ends; a slow one comes byte by byte."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; made by its constructors, acted out by the stand-in that takes it.

    `after_accepting` means that the platform takes the message and only its answer goes astray, which
    is what a client sees as "may or may not have arrived".
    """

    action: Literal["answer", "hang", "drop", "cut", "page", "hold", "endless"]
    code: int = 0
    text: str = ""
    body: Mapping[str, Any] | None = None
    platform_code: int = 0
    retry_after: float | None = None
    headers: Mapping[str, str] | None = None
    stage: SmtpStage | None = None
    after_accepting: bool = False
    until: asyncio.Event | None = None
    endless: EndlessPart | None = None

    @classmethod
    def status(
        cls,
        status: int,
        *,
        body: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        after_accepting: bool = False,
    ) -> "Fault":
        """Answer with this HTTP status, with the platform's usual body unless `body` is given.

        `headers` are added to the platform's own; an empty value removes one (`{"Via": ""}`).
        """
        return cls(
            "answer",
            code=status,
            body=body,
            retry_after=retry_after,
            headers=headers,
            after_accepting=after_accepting,
        )

    @classmethod
    def error(cls, status: int, description: str, *, code: int = 0) -> "Fault":
        """Answer with an error in the platform's own words; `code` is Discord's JSON error code."""
        return cls("answer", code=status, text=description, platform_code=code)

    @classmethod
    def page(cls, status: int) -> "Fault":
        """Answer with a web page, as a proxy on the way to the platform would."""
        return cls("page", code=status)

    @classmethod
    def reply(cls, stage: SmtpStage, code: int, text: str) -> "Fault":
        """Answer an SMTP command with this reply; 421 also closes the connection."""
        return cls("answer", code=code, text=text, stage=stage)

    @classmethod
    def hang(cls, stage: SmtpStage | None = None, *, after_accepting: bool = False) -> "Fault":
        """Never answer; the connection stays open until the stand-in stops."""
        return cls("hang", stage=stage, after_accepting=after_accepting)

    @classmethod
    def drop(cls, stage: SmtpStage | None = None, *, after_accepting: bool = False) -> "Fault":
        """Reset the connection instead of answering."""
        return cls("drop", stage=stage, after_accepting=after_accepting)

    @classmethod
    def cut(cls, stage: SmtpStage | None = None, *, after_accepting: bool = False) -> "Fault":
        """Begin an answer, and reset the connection in the middle of it."""
        return cls("cut", stage=stage, after_accepting=after_accepting)

    @classmethod
    def unending(cls, part: EndlessPart, status: int = 200) -> "Fault":
        """Begin an answer that never ends. Only webhooks have such a fault."""
        return cls("endless", code=status, endless=part)

    @classmethod
    def hold(cls, until: asyncio.Event) -> "Fault":
        """Be slow: take the request once `until` is set, as if it came then. SMTP has no such fault."""
        return cls("hold", until=until)


@dataclass(slots=True)
class _Waiting:
    """A fault in the queue, with the requests it is meant for and how often it is left to strike."""

    fault: Fault
    times: int | None
    route: str | None

    def strikes(self, route: str, *, accepts_message: bool) -> bool:
        if self.route is not None:
            return self.route in route
        return accepts_message or not self.fault.after_accepting


class FaultQueue:
    """Faults waiting for the requests they are meant for, first come, first served.

    `taken` counts the faults that have struck.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self.taken = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, fault: Fault, *, times: int | None = 1, route: str | None = None) -> None:
        """Let `fault` strike the next `times` requests (`None`: until cleared).

        `route` is a part of what the stand-in calls a request: "POST channels/1/messages" for Discord,
        the method's name for Telegram, the stage for SMTP. Without it every request counts.
        """
        self._waiting.append(_Waiting(fault, times, route or fault.stage))

    def clear(self) -> None:
        """Forget all faults; the stand-in behaves again."""
        self._waiting.clear()

    def take(self, route: str, *, accepts_message: bool = True) -> Fault | None:
        """Return the fault that strikes this request, if any, and use it up.

        A fault "after accepting" that names no route waits for a request that `accepts_message`.
        """
        for entry in self._waiting:
            if entry.strikes(route, accepts_message=accepts_message):
                self.taken += 1
                if entry.times is not None:
                    entry.times -= 1
                    if entry.times <= 0:
                        self._waiting.remove(entry)
                return entry.fault
        return None
