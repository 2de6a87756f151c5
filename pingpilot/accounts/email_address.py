"""What an e-mail address is."""

import re

import idna

from pingpilot.errors import InvalidInput

# What the part before the @ nearly always is, of which the validator says the same
_PLAIN = re.compile(r"(?=.{1,64}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST_ADDRESS, _LONGEST_DOMAIN = 254, 253  # RFC 5321, 4.5.3.1, less the angle brackets


def split_address(text: str) -> tuple[str, str]:
    """Return the two halves of an address, the domain in its ASCII form. Raises `ValueError`.

    There is no name beside it and no quotes. The first half may have letters beyond ASCII, which mail
    servers with SMTPUTF8 take. Whether the domain exists is not asked, and names that are no part of the
    public Internet (`localhost`, `.local`, `.test`, `.internal`) are as good as others: who hosts PingPilot
    may well have a mail server there.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError("it has no @")
    if not _PLAIN.fullmatch(local):
        local = checked_local_part(local)
    try:
        domain = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain.lower()
    except idna.IDNAError as exc:
        raise ValueError(f"there is no such domain: {exc}") from exc
    if len(domain) > _LONGEST_DOMAIN or not all(map(_LABEL.fullmatch, domain.split("."))):
        raise ValueError("what follows the @ is no domain")
    if len(local.encode()) + 1 + len(domain) > _LONGEST_ADDRESS:
        raise ValueError("it is too long")
    return local, domain


def checked_local_part(text: str) -> str:
    """Return what stands before an @, as it is written. Raises `ValueError` for what no mailbox is called."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  # 15 ms of a start

    try:
        # strict: it has 64 characters at most. The validator refuses domains that are not public, so it
        # judges this part beside one that is.
        valid = validate_email(f"{text}@example.com", check_deliverability=False, strict=True)
    except EmailNotValidError as exc:
        raise ValueError(str(exc)) from exc
    return valid.local_part


def normal_email(text: str) -> str:
    """Return the address as it is stored and compared: in lower case, its domain in ASCII.

    Raises `InvalidInput`.
    """
    try:
        local, domain = split_address(text.strip())
    except ValueError as exc:
        raise InvalidInput(f"'{text}' is not an e-mail address: write it like alice@example.com.") from exc
    return f"{local.lower()}@{domain}"
