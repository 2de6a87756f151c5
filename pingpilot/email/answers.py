"""What a mail server's answers mean: whom they speak of, and what to set where they speak against us."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from pingpilot.config import PREFIX
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, PermanentFailure, TemporaryFailure

Security = Literal["none", "starttls", "tls"]

CLOSING = 421
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


# RFC 7372, and the words that come with it
_SENDERS_DOMAIN = re.compile(r"\b(SPF|DKIM|DMARC)\b|\b5\.7\.2[0-46]\b")
# Sure to be about us, even where a mailbox is called unknown in the same breath: it is the sender's
_ABOUT_US = (
    Grievance(re.compile(r"\bnot logged in\b", re.IGNORECASE), _log_in),
    Grievance(
        _SENDERS_DOMAIN,
        lambda _: (
            f"Set {PREFIX}SMTP_FROM to an address of a domain whose SPF, DKIM and DMARC records allow "
            "this server."
        ),
    ),
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
            r"\bsender\b(?! IP\b)|send ?as\b|\bsend (mail )?(as|on behalf)|\breturn[- ]path\b"
            r"|\benvelope from\b",
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
        re.compile(r"\brelay|\brcpthosts\b|\bremote domains\b", re.IGNORECASE),
        _log_in,
    ),
    Grievance(
        re.compile(
            r"\b(client|sender) (host|address|IP)\b|\bblock(ed|[- ]?list)|\bblack[- ]?list|\bspamhaus\b"
            r"|\brbl\b|\bPTR\b|\breverse (dns|hostname)",
            re.IGNORECASE,
        ),
        lambda login: (
            "The mail server does not take mail from this machine's address: "
            + (
                "have its operator allow it."
                if login.user
                else (said := _log_in(login))[:1].lower() + said[1:]
            )
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
# OpenSMTPD says the same of a mailbox it does not know and of a domain it takes no mail for
_NOBODY_OR_NO_RELAY = Grievance(
    re.compile(r"\W*invalid recipient\W*", re.IGNORECASE),
    lambda login: (
        f"Either there is no such mailbox, or it takes mail for its own people alone. {_log_in(login)}"
    ),
    names_us=False,
)
# Greylisting, or trouble of the server's own, which may mention the sender or the client
_COME_BACK = re.compile(r"\bgr[ae]y|\btemporar|\b(try|come back) again\b|\blater\b|\bretry\b", re.IGNORECASE)
# Some servers look at the sender only when the message is there
_SAID_OF_A_MESSAGE_TOO = re.compile(
    _SENDERS_DOMAIN.pattern + r"|send ?as\b|\bsend (mail )?(as|on behalf)|\b5\.7\.60\b"
    r"|\b(daily|hourly|sending|outgoing)\b[^.;]{0,40}\b(limit|quota)\b|\b5\.4\.5\b",
    re.IGNORECASE,
)


class RefusedRecipient(Exception):
    """RCPT was refused, which may be meant for us: how others fare tells whether it is.

    `is_gone` tells that the words are those for a mailbox that is not there, `is_final` that they are
    no "later".
    """

    def __init__(
        self,
        reason: str,
        *,
        grievance: Grievance | None,
        login: Login,
        is_gone: bool = False,
        is_final: bool = True,
    ) -> None:
        super().__init__(reason)
        self._reason = reason
        self._grievance = grievance
        self._advice = grievance.advice(login) if grievance else None
        self.is_gone = is_gone
        self.is_final = is_final

    @property
    def blames_us(self) -> bool:
        """Whether it counts as meant for us as long as nobody was served."""
        return self._grievance is not None

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is said as often of us as of a mailbox that is not there."""
        return self._grievance is _NOBODY_OR_NO_RELAY

    def of_everybody(self) -> ChannelUnavailable:
        """Return what it is if others are refused as well, or if there is nobody to compare with."""
        others = "It refuses others as well: check the settings of the mail server and ours."
        return ChannelUnavailable(sentences(self._reason, self._advice or others))

    def of_one(self) -> DeliveryFailure:
        """Return what it is if others are served at the same time."""
        if not self.is_final or (self._grievance and self._grievance.names_us):
            # The settings don't fit this recipient alone: there is time to mend them
            return TemporaryFailure(sentences(self._reason, self._advice), recipient_alone=True)
        return PermanentFailure(self._reason, recipient_gone=self.is_gone, recipient_refused=not self.is_gone)


def on_recipient(exc: aiosmtplib.SMTPRecipientRefused, login: Login) -> DeliveryFailure | RefusedRecipient:
    """Return what the refusal of a recipient means."""
    reason = f"The mail server refused: {text_of(exc)}"
    subject, detail = _status_of(exc)
    grievance = grievance_in(exc.message)
    words = _without_addresses(exc.message)
    if exc.code < 500:  # noqa: PLR2004
        if lasting := lasting_grievance_in(exc):
            return RefusedRecipient(reason, grievance=lasting, login=login, is_final=False)
        speaks_for_the_server = exc.code == CLOSING or subject == "3"
        return TemporaryFailure(reason, recipient_alone=not speaks_for_the_server)
    if exc.code in _CREDENTIALS_WANTED or (subject, detail) in _SENDERS_STATUS:
        return ChannelUnavailable(sentences(reason, grievance.advice(login) if grievance else None))
    if grievance not in _ABOUT_US:
        if _NOBODY_OR_NO_RELAY.words.fullmatch(words):
            return RefusedRecipient(reason, grievance=_NOBODY_OR_NO_RELAY, login=login)
        if subject == "1" or _NO_SUCH_MAILBOX.search(words):
            return RefusedRecipient(reason, grievance=None, login=login, is_gone=True)
        is_doubtful = grievance is not None and not grievance.names_us
        if subject == "2" or (subject == "4" and is_doubtful):  # a mailbox that is closed, no way to it
            grievance = None
    return RefusedRecipient(reason, grievance=grievance, login=login)


def on_message(exc: Exception, login: Login) -> DeliveryFailure:
    """Return what went wrong with MAIL, DATA or the message itself."""
    if isinstance(exc, aiosmtplib.SMTPNotSupported | ValueError):
        return PermanentFailure(f"The mail server refused: {text_of(exc)}")
    if not isinstance(exc, aiosmtplib.SMTPResponseException) or exc.code < 0:
        return TemporaryFailure(f"The mail server did not take the message: {text_of(exc)}")
    reason = f"The mail server refused: {text_of(exc)}"
    is_about_sender = isinstance(exc, aiosmtplib.SMTPSenderRefused)
    if exc.code < 500:  # noqa: PLR2004
        if is_about_sender and lasting_grievance_in(exc):
            return ChannelUnavailable(sentences(reason, advice_on(exc.message, login)))
        subject, _ = _status_of(exc)
        speaks_for_the_server = is_about_sender or exc.code == CLOSING or subject in ("", "3")
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


def lasting_grievance_in(exc: aiosmtplib.SMTPResponseException) -> Grievance | None:
    """Return why the server refuses us, where it says "later" and means "never": only a person can mend it.

    Postfix by default answers 454 where it does not relay, and 450 to a sender or a greeting of a domain
    it can't find.
    """
    grievance = grievance_in(exc.message)
    is_later = exc.code == CLOSING or _COME_BACK.search(_without_addresses(exc.message))
    return None if is_later or grievance is None or not grievance.names_us else grievance


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
        makes_sense = exc.code >= 0
        text = f"{exc.code} {exc.message}" if makes_sense else f"its answer is no SMTP ({exc.message})"
    else:
        text = str(exc) or type(exc).__name__
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def sentences(*parts: str | None) -> str:
    """Return texts one after the other, each ended by a full stop where it has no end."""
    given = [part for part in parts if part]
    ended = [part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in given[:-1]]
    return " ".join([*ended, given[-1]])
