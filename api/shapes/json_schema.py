"""What is said of the shapes in JSON Schema beyond what pydantic makes of their types."""

from typing import Any

Json = dict[str, Any]


def without_defaults(schema: Json) -> None:
    """Name no default: in a patch, what is left out stays as it is."""
    for member in schema["properties"].values():
        member.pop("default", None)
