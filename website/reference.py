"""A page for each call of the API, made of the OpenAPI document: it is read without any script."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from website.schemas import Json, Schemas

_INDEX = """\
# All calls

A page for each. [The HTTP API](../http-api.md) tells how they are used, [Errors](../errors.md) what can go
wrong.
"""


class Reference:
    """The pages of one OpenAPI document."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._schemas = Schemas(document["components"])
        self._calls: dict[str, list[tuple[str, str, Json]]] = {}
        """The operations of a handler, which may have several addresses, by its name."""
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                name = operation["operationId"].rstrip("0123456789")
                self._calls.setdefault(name, []).append((method.upper(), path, operation))

    def pages(self) -> dict[str, str]:
        """Return Markdown by file name; `index.md` lists the calls."""
        calls = {f"{_file(name)}.md": "\n".join(self._page(name)) for name in self._calls}
        return {"index.md": "\n".join(self._index()), **calls}

    def navigation(self) -> list[dict[str, Any]]:
        """Return the pages by subject, as the site's navigation takes them."""
        listed: dict[str, list[dict[str, str]]] = {}
        for name, [(_, _, operation), *_others] in self._calls.items():
            entry = {operation["summary"].partition(";")[0]: f"api/{_file(name)}.md"}
            listed.setdefault(operation["tags"][0], []).append(entry)
        return [{tag: entries} for tag, entries in listed.items()]

    def _index(self) -> Iterator[str]:
        yield _INDEX
        for tag in self._document["tags"]:
            yield f"\n## {tag['name']}\n\n| call | |\n|---|---|"
            for name, operations in self._calls.items():
                for method, path, operation in operations:
                    if operation["tags"][0] == tag["name"]:
                        yield f"| [`{method} {path}`]({_file(name)}.md) | {operation['summary']} |"

    def _page(self, name: str) -> Iterator[str]:
        method, path, operation = self._calls[name][0]
        addresses = "\n".join(f"{method} {path}" for method, path, _ in self._calls[name])
        yield f"# {operation['summary']}\n"
        yield f"```text\n{addresses}\n```\n"
        yield f"{_text(operation['description'])}\n"
        yield f"```bash\n{self._curl(method, path, operation)}\n```"
        if parameters := [self._schemas.resolved(each) for each in operation["parameters"]]:
            yield "\n## Parameters\n\n| name | in | |\n|---|---|---|"
            for each in parameters:
                where = f"{each['in']}, required" if each.get("required") else each["in"]
                about = self._schemas.about(each["schema"], each.get("description", ""))
                yield f"| `{each['name']}` | {where} | {about} |"
        if body := operation.get("requestBody"):
            yield f"\n## Body\n\nA JSON object{'' if body['required'] else ', which may be left out'}.\n"
            yield from self._schemas.table(body["content"]["application/json"]["schema"])
        yield from self._answers(operation["responses"])

    def _curl(self, method: str, path: str, operation: Json) -> str:
        """Return the command that makes this call."""
        for each in map(self._schemas.resolved, operation["parameters"]):
            if each["in"] == "path":
                value = each.get("example", self._schemas.example(each["schema"]))
                path = path.replace(f"{{{each['name']}}}", str(value))
        body = operation.get("requestBody")
        words = [f'curl "$PINGPILOT_URL{path}"']
        if method != ("POST" if body else "GET"):  # which curl takes by itself
            words.append(f"-X {method}")
        if operation["security"]:
            words.append('-H "Authorization: Bearer $PINGPILOT_API_KEY"')
        if body:
            example = self._schemas.example(body["content"]["application/json"]["schema"])
            words.append(f"-d '{json.dumps(example, ensure_ascii=False)}'")
        return " \\\n    ".join(words)

    def _answers(self, answers: Json) -> Iterator[str]:
        yield "\n## Answers"
        errors: list[str] = []
        shown: list[Json] = []
        for status, answer in answers.items():
            phrase = HTTPStatus(int(status)).phrase
            content = answer.get("content", {}).get("application/json", {}).get("schema", {})
            shapes = [each for each in content.get("anyOf", [content]) if "$ref" in each]
            described, *listed = f"\n{answer['description']}".split(
                "\n- "
            )  # what it is, and errors that have it
            for each in listed:
                code, _, when = each.partition(": ")
                errors.append(f"| {status} | [{code}](../errors.md#{code.strip('`')}) | {when} |")
            if described.strip():
                yield f"\n### {status} {phrase}\n"
            if described.strip() not in ("", phrase):
                yield f"{_text(described)}\n"
            for shape in shapes:
                if shape in shown:
                    yield "With the same members."
                    continue
                shown.append(shape)
                yield from self._schemas.table(shape)
                example = json.dumps(self._schemas.example(shape), indent=2, ensure_ascii=False)
                yield f"\n```json\n{example}\n```"
        yield "\n### Errors\n\n| status | code | when |\n|---|---|---|"
        yield from errors


def _file(name: str) -> str:
    """Return the file's name of a call: `post-event` of `postEvent`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _text(docstring: str) -> str:
    """Return a docstring as Markdown, each paragraph on a line."""
    return "\n\n".join(" ".join(part.split()) for part in cleandoc(docstring).split("\n\n"))
