"""What an e-mail address is."""

import re

import idna

from pingpilot.errors import InvalidInput

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST_ADDRESS, _LONGEST_DOMAIN = 254, 253  # RFC 5321, 4.5.3.1, less the angle brackets


def split_address(text: str) -> tuple[str, str]:
    """Return the two halves of an address, the domain in its ASCII form. Raises `ValueError`.

    There is no name beside it and no quotes. The first half may have letters beyond ASCII, which mail
    servers with SMTPUTF8 take. Whether the domain exists is not asked, and names that are no part of the
    public Internet (`localhost`, `.local`, `.test`, `.internal`) are as good as others: who hosts PingPilot
    may well have a mail server there.
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  # 15 ms of a start

    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError("it has no @")
    try:
        # strict: the part before the @ has 64 characters at most. The validator refuses domains that are
        # not public, so it judges this part beside one that is.
        local = validate_email(f"{local}@example.com", check_deliverability=False, strict=True).local_part
    except EmailNotValidError as exc:
        raise ValueError(str(exc)) from exc
    try:
        domain = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain.lower()
    except idna.IDNAError as exc:
        raise ValueError(f"there is no such domain: {exc}") from exc
    if len(domain) > _LONGEST_DOMAIN or not all(map(_LABEL.fullmatch, domain.split("."))):
        raise ValueError("what follows the @ is no domain")
    if len(local.encode()) + 1 + len(domain) > _LONGEST_ADDRESS:
        raise ValueError("it is too long")
    return local, domain


def normal_email(text: str) -> str:
    """Return the address as it is stored and compared: in lower case, its domain in ASCII.

    Raises `InvalidInput`.
    """
    try:
        local, domain = split_address(text.strip())
    except ValueError as exc:
        raise InvalidInput(f"'{text}' is not an e-mail address: write it like alice@example.com.") from exc
    return f"{local.lower()}@{domain}"
