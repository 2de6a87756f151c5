"""QR codes, drawn by the server: a telephone opens a link that a desktop shows."""

from markupsafe import Markup


def qr_code(text: str) -> Markup:
    """Return the text as an inline SVG, dark on light in either scheme: cameras read no other."""
    import segno  # noqa: PLC0415  # 1 MB, for a page that is opened a few times in a daemon's life

    drawn = segno.make(text, micro=False).svg_inline(border=3, dark="#000", light="#fff", omitsize=True)
    return Markup(drawn)  # noqa: S704  # modules of a code, nothing of the text
