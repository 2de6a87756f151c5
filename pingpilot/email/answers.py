"""What a mail server's answers mean: whom they speak of, and what to set where they speak against us."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from pingpilot.config import PREFIX
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure

Security = Literal["none", "starttls", "tls"]

_CLOSING = 421
_SIZE_EXCEEDED = 552
_CREDENTIALS_WANTED = {530, 534, 535, 538}  # RFC 4954, 6
_LONGEST_TEXT = 500  # characters of an answer that are repeated
# RFC 3463: the second number tells what an answer is about. 1 is an address, 2 a mailbox, 3 the mail system,
# 7 security or policy.
_STATUS = re.compile(r"\b[245]\.(\d{1,3})\.(\d{1,3})\b")
_SENDERS_STATUS = {("1", "7"), ("1", "8")}  # many servers judge the sender after RCPT only
# Codes of RFC 3463 are missing from many an answer, and Exim has none by default
_NO_SUCH_MAILBOX = re.compile(
    r"unrout(e)?able address"
    r"|\b(user|recipient|mailbox|account|address|local[- ]part)\b[^.;]{0,40}"
    r"\b(unknown|not known|not found|does(n't| not) exist|not exist|no longer exists)"
    r"|\b(unknown|no such|not a known|invalid) (local )?"
    r"(user|recipient|mailbox|account|local[- ]part|address)"
    r"|\bno mailbox (here )?by that name",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Login:
    """What our settings say of the login and the encryption, for advice that fits them."""

    user: bool
    security: Security


@dataclass(frozen=True, slots=True)
class Grievance:
    """A reason for which servers refuse those who hand mail in, known by its words; with what to do about it.

    `names_us` tells that the words leave no doubt. The others are said of one recipient too.
    """

    words: re.Pattern[str]
    advice: Callable[[Login], str]
    names_us: bool = True


def _log_in(login: Login) -> str:
    if login.user:
        return f"Check what the user of {PREFIX}SMTP_USERNAME may do at the mail server."
    user, password = f"{PREFIX}SMTP_USERNAME", f"{PREFIX}SMTP_PASSWORD"
    return f"Set {user} and {password}, or have the server take mail from this machine."


# Sure to be about us, even where a mailbox is called unknown in the same breath: it is the sender's
_ABOUT_US = (
    Grievance(
        re.compile(r"starttls", re.IGNORECASE),
        lambda _: (
            f"Set {PREFIX}SMTP_SECURITY to starttls, or to tls where the server wants TLS from the start."
        ),
    ),
    Grievance(
        re.compile(r"\b(helo|ehlo)\b", re.IGNORECASE),
        lambda _: f"Set {PREFIX}SMTP_HELO to the full name of this machine, such as pingpilot.example.com.",
    ),
    Grievance(
        re.compile(
            r"\bsender\b|send ?as\b|\bsend (mail )?(as|on behalf)|\breturn[- ]path\b|\benvelope from\b",
            re.IGNORECASE,
        ),
        lambda login: (
            f"Set {PREFIX}SMTP_FROM to an address that "
            + ("this login may send as." if login.user else "the mail server takes from this machine.")
        ),
    ),
)
_GRIEVANCES = (
    *_ABOUT_US,
    Grievance(
        re.compile(r"\bauth(enticat\w*|\b)|\blog ?in\b|\bcredentials\b", re.IGNORECASE),
        _log_in,
    ),
    Grievance(
        re.compile(r"\brelay|\brcpthosts\b", re.IGNORECASE),
        _log_in,
    ),
    Grievance(
        re.compile(
            r"\bclient (host|address)|\bblock(ed|[- ]?list)|\bblack[- ]?list|\bspamhaus\b|\brbl\b|\bPTR\b"
            r"|\breverse (dns|hostname)",
            re.IGNORECASE,
        ),
        lambda login: (
            "The mail server does not take mail from this machine's address: "
            + ("have its operator allow it." if login.user else _lower_first(_log_in(login)))
        ),
    ),
    Grievance(
        re.compile(
            r"\b(daily|hourly|sending|message|outgoing)\b[^.;]{0,40}\b(limit|quota)\b|\b5\.4\.5\b",
            re.IGNORECASE,
        ),
        lambda _: "The mail server takes no more for now: wait, or have its operator raise the limit.",
    ),
    Grievance(
        re.compile(
            r"access denied|prohibit|not (permitted|allowed|authori[sz]ed)|\b5\.7\.\d+\b", re.IGNORECASE
        ),
        _log_in,
        names_us=False,
    ),
)
# Some servers look at the sender only when the message is there
_SAID_OF_A_MESSAGE_TOO = re.compile(
    r"send ?as\b|\bsend (mail )?(as|on behalf)|\b5\.7\.60\b"
    r"|\b(daily|hourly|sending|outgoing)\b[^.;]{0,40}\b(limit|quota)\b|\b5\.4\.5\b",
    re.IGNORECASE,
)


class RefusedRecipient(Exception):
    """RCPT was refused for good, which may be meant for us: how others fare tells whether it is."""

    def __init__(self, reason: str, grievance: Grievance | None, advice: str | None) -> None:
        super().__init__(reason)
        self._reason = reason
        self._grievance = grievance
        self._advice = advice

    @property
    def blames_us(self) -> bool:
        """Whether it counts as meant for us as long as nobody was served."""
        return self._grievance is not None

    def of_everybody(self) -> ChannelUnavailable:
        """Return what it is if others are refused as well, or if there is nobody to compare with."""
        others = "It refuses others as well: check the settings of the mail server and ours."
        return ChannelUnavailable(sentences(self._reason, self._advice or others))

    def of_one(self) -> DeliveryFailure:
        """Return what it is if others are served at the same time."""
        if self._grievance and self._grievance.names_us:
            # The settings don't fit this recipient alone: there is time to mend them
            return TemporaryFailure(sentences(self._reason, self._advice), recipient_alone=True)
        return PermanentFailure(self._reason, recipient_refused=True)


def on_recipient(exc: aiosmtplib.SMTPRecipientRefused, login: Login) -> DeliveryFailure | RefusedRecipient:
    """Return what the refusal of a recipient means."""
    reason = f"The mail server refused: {text_of(exc)}"
    subject, detail = _status_of(exc)
    if exc.code < 500:  # noqa: PLR2004
        speaks_for_the_server = exc.code == _CLOSING or subject == "3"
        return TemporaryFailure(reason, recipient_alone=not speaks_for_the_server)
    grievance = grievance_in(exc.message)
    advice = grievance.advice(login) if grievance else None
    if exc.code in _CREDENTIALS_WANTED or (subject, detail) in _SENDERS_STATUS:
        return ChannelUnavailable(sentences(reason, advice))
    if grievance not in _ABOUT_US:
        if subject == "1" or _NO_SUCH_MAILBOX.search(_without_addresses(exc.message)):
            return PermanentFailure(reason, recipient_gone=True)
        is_doubtful = grievance is not None and not grievance.names_us
        if subject == "2" or (subject == "4" and is_doubtful):  # a mailbox that is closed, no way to it
            grievance = None
    return RefusedRecipient(reason, grievance, advice)


def on_message(exc: Exception, login: Login) -> DeliveryFailure:
    """Return what went wrong with MAIL, DATA or the message itself."""
    if isinstance(exc, aiosmtplib.SMTPNotSupported | ValueError):
        return PermanentFailure(f"The mail server refused: {text_of(exc)}")
    if not isinstance(exc, aiosmtplib.SMTPResponseException):
        return TemporaryFailure(f"The mail server did not take the message: {text_of(exc)}")
    reason = f"The mail server refused: {text_of(exc)}"
    is_about_sender = isinstance(exc, aiosmtplib.SMTPSenderRefused)
    if exc.code < 500:  # noqa: PLR2004
        subject, _ = _status_of(exc)
        speaks_for_the_server = is_about_sender or exc.code == _CLOSING or subject in ("", "3")
        return TemporaryFailure(reason, recipient_alone=not speaks_for_the_server)
    if (
        exc.code in _CREDENTIALS_WANTED
        or (is_about_sender and exc.code != _SIZE_EXCEEDED)
        or _SAID_OF_A_MESSAGE_TOO.search(exc.message)
    ):
        return ChannelUnavailable(sentences(reason, advice_on(exc.message, login)))
    return PermanentFailure(reason)


def grievance_in(text: str) -> Grievance | None:
    """Return why the server refuses us, going by its words, None where they say nothing of the kind."""
    words = _without_addresses(text)
    return next((each for each in _GRIEVANCES if each.words.search(words)), None)


def advice_on(text: str, login: Login) -> str | None:
    """Return what to do about an answer that speaks against us, None where it does not."""
    grievance = grievance_in(text)
    return grievance.advice(login) if grievance else None


def _status_of(exc: aiosmtplib.SMTPResponseException) -> tuple[str, str]:
    """Return the second and third number of the answer's status, empty where it has none."""
    status = _STATUS.search(exc.message)
    return (status[1], status[2]) if status else ("", "")


def _without_addresses(text: str) -> str:
    """Return the server's own words: an address or a host may be called anything."""
    return re.sub(r"<[^>]*>|\S+@\S+", "", text)


def text_of(exc: Exception) -> str:
    """Return an answer, or whatever else went wrong, on one line of bearable length."""
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        text = f"{exc.code} {exc.message}"
    else:
        text = str(exc) or type(exc).__name__
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def sentences(*parts: str | None) -> str:
    """Return texts one after the other, each ended by a full stop where it has no end."""
    given = [part for part in parts if part]
    ended = [part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in given[:-1]]
    return " ".join([*ended, given[-1]])


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
