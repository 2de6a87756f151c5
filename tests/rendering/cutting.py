"""What must hold of every text that was cut."""

import re

_NOTE = re.compile(r"[\n ]… ([\d,]+) characters left out …[\n ]")


def assert_cut_in_the_middle(shown: str, whole: str) -> None:
    """Check that `shown` is beginning and end of `whole`, and that its note counts what is missing."""
    notes = [note for note in _NOTE.finditer(shown) if _fits_together(note, shown, whole)]
    assert notes, f"{shown!r} is no honest cut of {whole!r}"


def _fits_together(note: re.Match[str], shown: str, whole: str) -> bool:
    begin, end = shown[: note.start()], shown[note.end() :]
    missing = int(note[1].replace(",", ""))
    return whole.startswith(begin) and whole.endswith(end) and len(begin) + missing + len(end) == len(whole)
