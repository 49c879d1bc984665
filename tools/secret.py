"""What no record and no log may hold: arguments that are secrets."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import GetJsonSchemaHandler

from .conversion import Path, resolve

MARK = "[secret]"
"""Stands in a record where a secret stood."""

_VISITS = 10_000  # nested unions multiply
_WRAPPINGS = 2  # JSON text with a JSON string with an object in it
_UNKNOWN: Any = object()


class Secret:
    """Marks a parameter, or a field of a model, as secret: `Annotated[str, Secret()]`.

    The function gets it whole. Records, logs and messages about bad arguments do not: see
    `Toolbox.redact`. In the JSON schema it is `writeOnly`, as is pydantic's `SecretStr`,
    which is taken for a secret just so.
    """

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell pydantic how the schema says so."""
        return {**handler(core_schema), "writeOnly": True}

    def __repr__(self) -> str:
        return "Secret()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret)

    def __hash__(self) -> int:
        return hash(Secret)


class _TooComplicatedError(Exception):
    """A value and its schema branch too much."""


def has_secrets(schema: Any) -> bool:
    """Whether a JSON schema marks anything as secret, be it in its `$defs`."""
    if isinstance(schema, Mapping):
        if schema.get("writeOnly") is True:
            return True
        return any(has_secrets(part) for part in schema.values())
    return isinstance(schema, list) and any(has_secrets(part) for part in schema)


def is_secret(path: Path, schema: Any, root: Mapping[str, Any]) -> bool:
    """Whether what stands at a path, or something that it is part of, is secret.

    A value that the schema does not describe is: it may be a secret under a wrong name.

    Args:
        path: Keys and indices from where `schema` applies.
        schema: A JSON schema.
        root: The schema whose `$defs` the references name.
    """
    return _hidden(path, schema, root, [0]) is not False


def _hidden(path: Path, schema: Any, root: Mapping[str, Any], visits: list[int]) -> bool | None:
    """Whether it is secret; None when the schema does not know it."""
    visits[0] += 1
    if visits[0] > _VISITS:
        return True
    if _marked(schema) or _marked(schema := resolve(schema, root)):
        return True
    if not isinstance(schema, Mapping):
        return False
    branches = _branches(schema)
    if not path:
        # Where an object is wanted, a bare value may be the secret that belongs into it.
        wanted = [resolve(branch, root) for branch in branches] or [schema]
        return any(_marked(each) or _kind(each) in ("object", "array") for each in wanted)
    if not _may_be(schema, path[0]) and not branches:
        return None
    if branches:
        found = [_hidden(path, branch, root, visits) for branch in branches]
        return True if True in found else False if False in found else None
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return _hidden(rest, _item(schema, first), root, visits)
    part = _property(schema, first)
    return None if part is None else _hidden(rest, part, root, visits)


def redact(arguments: str, schema: Mapping[str, Any]) -> str:
    """Arguments as a model wrote them, without what the schema marks as secret.

    Args:
        arguments: JSON text, or what a model took for it.
        schema: The JSON schema of the arguments.

    Returns:
        The text itself when the schema has no secrets; else JSON with `MARK` in their place,
        and in place of fields that the schema does not know, which may be secrets under wrong
        names; `MARK` alone when the text is no JSON object.
    """
    if not has_secrets(schema):
        return arguments
    value: Any = arguments
    try:
        for _ in range(_WRAPPINGS):
            if isinstance(value, str):
                value = json.loads(value) if value.strip() else {}
        if not isinstance(value, dict):
            return MARK if value is not None else "{}"
        shown = _told(_redact(value, schema, schema, [0]))
        return json.dumps(shown, ensure_ascii=False)
    except (ValueError, RecursionError, _TooComplicatedError):
        return MARK


def _redact(value: Any, schema: Any, root: Mapping[str, Any], visits: list[int]) -> Any:
    visits[0] += 1
    if visits[0] > _VISITS:
        raise _TooComplicatedError
    if _marked(schema) or _marked(schema := resolve(schema, root)):
        return MARK
    if not isinstance(schema, Mapping):
        return value
    branches = _branches(schema)
    if branches:
        return _common(value, [_redact(value, branch, root, visits) for branch in branches])
    if value is not None and not _may_be(schema, _step(value)):
        return _UNKNOWN
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, item in value.items():
            part = _property(schema, name)
            found[name] = _UNKNOWN if part is None else _redact(item, part, root, visits)
        return found
    if isinstance(value, list):
        return [
            _redact(item, _item(schema, index), root, visits) for index, item in enumerate(value)
        ]
    return value


def _common(value: Any, parts: list[Any]) -> Any:
    """What all readings of a value show.

    What is secret in one member of a union is hidden, whichever was meant; what one member
    does not know may be known to another.
    """
    if any(part == MARK for part in parts):
        return MARK
    parts = [part for part in parts if part is not _UNKNOWN]
    if not parts:
        return _UNKNOWN
    if isinstance(value, dict):
        return {name: _common(item, [part[name] for part in parts]) for name, item in value.items()}
    if isinstance(value, list):
        return [_common(item, [part[index] for part in parts]) for index, item in enumerate(value)]
    return value


def _told(value: Any) -> Any:
    if value is _UNKNOWN:
        return MARK
    if isinstance(value, dict):
        return {name: _told(item) for name, item in value.items()}
    return [_told(item) for item in value] if isinstance(value, list) else value


def _kind(schema: Any) -> str | None:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return kind if isinstance(kind, str) else None


def _step(value: Any) -> str | int | None:
    """What leads into a value: a key, an index, or nothing."""
    return "key" if isinstance(value, dict) else 0 if isinstance(value, list) else None


def _may_be(schema: Any, step: str | int | None) -> bool:
    """Whether a schema's type is an object (for a key), a list (an index), or a bare value."""
    kind = _kind(schema)
    if kind is None:
        return True
    if step is None:
        return kind not in ("object", "array", "null")
    return kind == ("array" if isinstance(step, int) else "object")


def _marked(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("writeOnly") is True


def _branches(schema: Mapping[str, Any]) -> list[Any]:
    for key in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(key)
        if isinstance(branches, list) and branches:
            return branches
    return []


def _property(schema: Mapping[str, Any], name: str) -> Any:
    """The schema of a property; None when there is none."""
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    others = schema.get("additionalProperties", None if properties else True)
    return None if others is False else others


def _item(schema: Mapping[str, Any], index: int) -> Any:
    leading = schema.get("prefixItems")
    if isinstance(leading, list) and index < len(leading):
        return leading[index]
    return schema.get("items", True)
