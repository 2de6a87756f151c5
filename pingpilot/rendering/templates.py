"""Templates: what pages, mails and looks are filled into."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def templates(package: str, folder: str) -> "Environment":
    """Return the templates of a package's folder, in which all is escaped but in a `.txt`.

    Asked for when the first of them is filled: Jinja takes 2 MB and 15 ms of a start.
    """
    from jinja2 import (  # noqa: PLC0415  # see above
        Environment,
        PackageLoader,
        StrictUndefined,
        select_autoescape,
    )

    return Environment(
        auto_reload=False,  # or each mail looks whether the files have changed
        loader=PackageLoader(package, folder),
        autoescape=select_autoescape(disabled_extensions=["txt"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
