"""How the platforms measure text."""


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, in which Telegram counts and Discord's clients do."""
    return len(text) + sum(character > "\uffff" for character in text)
