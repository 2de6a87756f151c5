"""JSON Schemas of pydantic models, as OpenAPI's components hold them."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, NoDefault, models_json_schema
from pydantic_core import CoreSchema
from pydantic_core.core_schema import WithDefaultSchema

from api.calls import Call
from api.errors import codes

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]
SENT: Mode = "validation"
ANSWERED: Mode = "serialization"


class Schemas:
    """The schema of every model that calls take or answer."""

    def __init__(self, calls: Iterable[Call]) -> None:
        used: dict[tuple[type[BaseModel], Mode], None] = {
            (code.shape, ANSWERED): None for code in codes().values()
        }
        for call in calls:
            used |= {(model, SENT): None for model in (call.body, call.query) if model}
            used |= {(model, ANSWERED): None for model in call.replies.values() if model}
        self._references, definitions = models_json_schema(
            list(used), ref_template="#/components/schemas/{model}", schema_generator=_Bare
        )
        self.components: Json = definitions["$defs"]

    def reference(self, model: type[BaseModel], mode: Mode) -> Json:
        """Return a reference to the component."""
        return self._references[model, mode]

    def properties(self, model: type[BaseModel]) -> Iterator[tuple[str, Json, bool]]:
        """Yield the name and schema of each member of a query, and whether it must be there."""
        name = self.reference(model, SENT)["$ref"].rpartition("/")[2]
        schema = self.components[name]
        for each, its_schema in schema.get("properties", {}).items():
            yield each, its_schema, each in schema.get("required", ())


class _Bare(GenerateJsonSchema):
    """Leaves out titles, which repeat the members' names, and `null` as what a member left out stands for."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        return False

    def get_default_value(self, schema: WithDefaultSchema) -> Any:
        default = super().get_default_value(schema)
        return NoDefault if default is None else default
