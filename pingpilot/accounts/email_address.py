"""What an e-mail address is."""

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from pingpilot.errors import InvalidInput

# The library's documented way to accept them: people's own networks have mail servers in `.local` or `.test`
SPECIAL_USE_DOMAIN_NAMES.clear()


def normal_email(text: str) -> str:
    """Return the address as it is stored and compared: ASCII, in lower case. Raises `InvalidInput`.

    It is an address as SMTP servers without extensions take it: no name beside it, no quotes, an
    international domain in its ASCII form. Whether the domain exists is not asked, and names that are no
    part of the public Internet (`localhost`, `.local`, `.test`, `.internal`) are as good as others: who
    hosts PingPilot may well have a mail server there.
    """
    try:
        address = validate_email(
            text.strip(),
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,  # the part before the @ has 64 characters at most
        )
    except EmailNotValidError as exc:
        raise InvalidInput(f"'{text}' is not an e-mail address: write it like alice@example.com.") from exc
    return (address.ascii_email or address.normalized).lower()
