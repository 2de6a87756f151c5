"""What keeps a connection from the mail server, and what to set about it."""

import ssl

import aiosmtplib

from pingpilot.config import PREFIX
from pingpilot.email.answers import advice_on, lasting_grievance_in, sentences, text_of
from pingpilot.email.server import MailServer
from pingpilot.errors import ChannelUnavailable, DeliveryFailure, TemporaryFailure


class WantsTls(Exception):
    """The server waits for TLS from the start, which the settings don't say."""


def obstacle(exc: Exception, server: MailServer) -> DeliveryFailure:
    """Sort what went wrong before any message: trouble that the settings cause pauses the channel."""
    words = text_of(exc).replace(" on port None", f" on port {server.port}")  # it got a socket, not a port
    untrusted = next((e for e in (exc, exc.__cause__) if isinstance(e, ssl.SSLCertVerificationError)), None)
    if untrusted is not None:
        words = f"its certificate is not accepted ({untrusted.verify_message.rstrip('.')})"
    what = f"The mail server can't be used: {words}"
    advice = _advice(exc, server)
    return TemporaryFailure(what) if advice is None else ChannelUnavailable(sentences(what, advice))


def _advice(exc: Exception, server: MailServer) -> str | None:
    """Return what a person has to do about it, None where it may pass by itself."""
    broken_tls = next((each for each in (exc, exc.__cause__) if isinstance(each, ssl.SSLError)), None)
    if broken_tls is not None:
        return _tls_advice(broken_tls, server)
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        return _advice_on_refusal(exc, server)
    if isinstance(exc, WantsTls):
        return f"Set {PREFIX}SMTP_SECURITY to tls."
    if isinstance(exc, aiosmtplib.SMTPNotSupported):
        return (
            f"Leave {PREFIX}SMTP_USERNAME and {PREFIX}SMTP_PASSWORD out if it wants no login, else check "
            f"{PREFIX}SMTP_PORT and {PREFIX}SMTP_SECURITY."
        )
    if type(exc) is aiosmtplib.SMTPException:  # STARTTLS is not offered: the library has no class for it
        return (
            f"Set {PREFIX}SMTP_SECURITY to tls if it wants TLS from the start, or to none where nobody can "
            "listen on the way."
        )
    return None


def _advice_on_refusal(exc: aiosmtplib.SMTPResponseException, server: MailServer) -> str | None:
    if exc.code < 0:
        return f"Check {PREFIX}SMTP_HOST and {PREFIX}SMTP_PORT: something else may be listening there."
    is_login = isinstance(exc, aiosmtplib.SMTPAuthenticationError)
    if exc.code < 500:  # noqa: PLR2004
        # A login that can't be judged now is none that was refused
        grievance = None if is_login else lasting_grievance_in(exc)
        return grievance.advice(server.login) if grievance else None
    if isinstance(exc, aiosmtplib.SMTPConnectResponseError):
        return advice_on(exc.message, server.login)
    if isinstance(exc, aiosmtplib.SMTPHeloError):
        return f"Set {PREFIX}SMTP_HELO to the full name of this machine, such as pingpilot.example.com."
    if is_login:
        return f"Check {PREFIX}SMTP_USERNAME and {PREFIX}SMTP_PASSWORD."
    return f"Check {PREFIX}SMTP_SECURITY."  # STARTTLS was refused


def _tls_advice(exc: ssl.SSLError, server: MailServer) -> str | None:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _certificate_advice(exc, server)
    if isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None  # the connection was lost
    if server.security == "tls" and exc.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return f"It does not speak TLS from the start: set {PREFIX}SMTP_SECURITY to starttls."
    return "The two don't agree on how to encrypt: have the server's operator look at its TLS settings."


def _certificate_advice(exc: ssl.SSLCertVerificationError, server: MailServer) -> str:
    words = exc.verify_message.lower()
    if "mismatch" in words or "not valid for" in words:
        return f"Its certificate is for another name: set {PREFIX}SMTP_HOST to a name that stands in it."
    if "expired" in words:
        return "Its certificate has expired: have it renewed, and check this machine's clock."
    if "not yet valid" in words:
        return "Its certificate is not valid yet: check this machine's clock."
    known = "is not in the file of" if server.ca_file else "is none that this machine knows: set"
    return f"Who issued its certificate {known} {PREFIX}SMTP_CA_FILE" + (
        "." if server.ca_file else " to a file with the issuer's certificate."
    )
