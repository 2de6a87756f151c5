"""Every call of the API by an example, so that tests run over all of them and none can be forgotten."""

from collections import defaultdict
from collections.abc import Mapping

from api.app import CALLS

_EXAMPLES = {"event_id": f"evt_{'0' * 32}", "name": "sale", "channel": "telegram", "key_id": "999999"}
"""A value of each part of a path that may vary."""

Example = tuple[str, str]
"""A method and a path."""

ALL: list[Example] = [(call.method, call.path.format(**_EXAMPLES)) for call in CALLS]
WITH_KEY = [example for example, call in zip(ALL, CALLS, strict=True) if call.scope]
WITH_BODY = [example for example, call in zip(ALL, CALLS, strict=True) if call.body]
WITH_QUERY = [example for example, call in zip(ALL, CALLS, strict=True) if call.query]
READING = [path for method, path in ALL if method == "GET"]


def allowed_methods() -> Mapping[str, str]:
    """Return what the header `Allow` says of each path."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for method, path in ALL:
        methods[path] |= {"GET", "HEAD"} if method == "GET" else {method}
    return {path: ", ".join(sorted(each)) for path, each in methods.items()}
