"""The conversion of JSON values to the JSON types that a schema asks for.

Models send `"4"` where a schema says integer. Pydantic's lax mode reads that, but it also
reads `true` as the integer 1, and `0` or the text `"20260531"` as a moment in 1970: wrong
values that nobody notices. So JSON types are settled here, by the schema the model was shown:
what has one reading is converted, the rest is a problem to tell the model. Pydantic then
finds the type it expects, and checks formats and limits.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VISIT_LIMIT = 50_000
"""The most values looked at in one conversion: nested unions multiply."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}(\.0{1,10})?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# Beyond this, a float no longer says which integer was meant.
_EXACT_FLOAT = 2**53
_FORMATS = {
    "date": "a date like 2026-05-31",
    "date-time": "a date and time like 2026-05-31T19:30:00",
    "time": "a time like 19:30:00",
    "duration": "an ISO 8601 duration like PT1H30M",
    "uuid": "a UUID",
    "uri": "a URL",
    "email": "an e-mail address",
}
_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
}

Path = tuple[str | int, ...]


class TooComplicatedError(Exception):
    """A value and its schema branch too much to be compared."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A value that is not of the JSON type that the schema asks for.

    Attributes:
        path: Where it is: keys and indices from the top.
        value: What it is.
        expected: What the schema asks for, in words.
    """

    path: Path
    value: Any
    expected: str


@dataclass(slots=True)
class Conversion:
    """What came of a value.

    Attributes:
        value: The value, its parts converted where they have one reading.
        mismatches: What cannot be converted.
        doubts: How many things a validator will object to although the types are right
            (not one of an enum's values, missing or unknown fields). They only help to
            choose among the members of a union.
        changed: Whether anything was converted.
    """

    value: Any
    mismatches: list[Mismatch] = field(default_factory=list)
    doubts: int = 0
    changed: bool = False

    def absorb(self, part: "Conversion") -> Any:
        """Count what came of a part as this value's own, and give the part's value."""
        self.mismatches += part.mismatches
        self.doubts += part.doubts
        self.changed = self.changed or part.changed
        return part.value


def convert(value: Any, schema: Any, *, root: Mapping[str, Any] | None = None) -> Conversion:
    """Convert a JSON value to the types that a JSON schema asks for.

    Args:
        value: What `json.loads` gives; not changed.
        schema: The schema of the value.
        root: The schema whose `$defs` the references name; by default, `schema` itself.

    Raises:
        TooComplicatedError: More than `VISIT_LIMIT` comparisons would be needed.
    """
    return _Converter(schema if root is None else root).convert(value, schema, ())


class _Converter:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.visits = 0

    def convert(self, value: Any, schema: Any, path: Path) -> Conversion:
        self.visits += 1
        if self.visits > VISIT_LIMIT:
            raise TooComplicatedError
        schema = resolve(schema, self.root)
        if not isinstance(schema, Mapping):
            return Conversion(value)
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self.choose(value, schema, branches, path)
        if "allOf" in schema:
            result = Conversion(value)
            for part in schema["allOf"]:
                result.value = result.absorb(self.convert(result.value, part, path))
            return result
        kind = schema.get("type")
        if isinstance(kind, list):
            return self.choose(value, schema, [{**schema, "type": one} for one in kind], path)
        result = self.convert_type(value, schema, kind, path)
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if allowed is not None and not any(_same(result.value, one) for one in allowed):
            result.doubts += 1
        return result

    def choose(
        self, value: Any, schema: Mapping[str, Any], branches: list[Any], path: Path
    ) -> Conversion:
        """Convert to the member of a union that fits best; the first of equals."""
        chosen = self.discriminated(value, schema)
        if chosen is not None:
            return self.convert(value, chosen, path)
        results = [self.convert(value, branch, path) for branch in branches]
        fitting = [result for result in results if not result.mismatches]
        if fitting:
            return min(fitting, key=lambda result: (result.doubts, result.changed))
        # For `X | None`, what is wrong inside X says more than "neither X nor null".
        inside = [result for result in results if any(m.path != path for m in result.mismatches)]
        if len(inside) == 1:
            return inside[0]
        return Conversion(value, [Mismatch(path, value, describe(schema, self.root))])

    def discriminated(self, value: Any, schema: Mapping[str, Any]) -> Any:
        discriminator = schema.get("discriminator")
        if not isinstance(discriminator, Mapping) or not isinstance(value, dict):
            return None
        tag = value.get(discriminator.get("propertyName", ""))
        reference = discriminator.get("mapping", {}).get(tag) if isinstance(tag, str) else None
        return None if reference is None else {"$ref": reference}

    def convert_type(
        self, value: Any, schema: Mapping[str, Any], kind: Any, path: Path
    ) -> Conversion:
        if kind == "array" and isinstance(value, list):
            return self.convert_array(value, schema, path)
        if kind == "object" and isinstance(value, dict):
            return self.convert_object(value, schema, path)
        if _fits(value, kind, schema):
            return Conversion(value)
        converted = _read(value, kind)
        if converted is None:
            return Conversion(value, [Mismatch(path, value, describe(schema, self.root))])
        return Conversion(converted, changed=True)

    def convert_array(self, value: list[Any], schema: Mapping[str, Any], path: Path) -> Conversion:
        result = Conversion(value)
        leading = schema.get("prefixItems", [])
        items = [
            result.absorb(
                self.convert(
                    item,
                    leading[index] if index < len(leading) else schema.get("items", True),
                    (*path, index),
                )
            )
            for index, item in enumerate(value)
        ]
        if not schema.get("minItems", 0) <= len(items) <= schema.get("maxItems", math.inf):
            result.doubts += 1
        result.value = items
        return result

    def convert_object(
        self, value: dict[str, Any], schema: Mapping[str, Any], path: Path
    ) -> Conversion:
        result = Conversion(value)
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        # By these, a union's member with more of the fields that were sent is the better one.
        result.doubts += sum(name not in value for name in schema.get("required", ()))
        if not isinstance(others, Mapping):
            result.doubts += sum(name not in properties for name in value)
        result.value = {
            name: result.absorb(self.convert(item, properties.get(name, others), (*path, name)))
            for name, item in value.items()
        }
        return result


def _fits(value: Any, kind: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of a JSON type, and not text that pydantic would read as a number."""
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "null":
        return value is None
    if kind == "string":
        wanted = schema.get("format")
        if not isinstance(value, str):
            return False
        if wanted in ("date", "date-time", "time", "duration") and _NUMBER.fullmatch(value.strip()):
            return False  # pydantic: seconds since 1970, or since midnight
        return not (wanted == "date-time" and _DAY.fullmatch(value.strip()))  # midnight
    return kind not in ("array", "object")


def _read(value: Any, kind: Any) -> Any:
    """The one reading that a value has as another JSON type, or None."""
    if isinstance(value, str):
        text = value.strip()
        if kind == "integer" and _INTEGER.fullmatch(text):
            return int(text.partition(".")[0])
        if kind == "number" and _NUMBER.fullmatch(text):
            number = float(text)
            if _INTEGER.fullmatch(text) and "." not in text:
                return int(text)
            return number if math.isfinite(number) else None
        if kind == "boolean":
            return _BOOLEANS.get(text.lower())
    elif kind == "integer" and isinstance(value, float):
        if value.is_integer() and abs(value) <= _EXACT_FLOAT:
            return int(value)
    elif kind == "boolean" and value in (0, 1) and isinstance(value, int):
        return bool(value)
    return None


def _same(left: Any, right: Any) -> bool:
    """Equality as in JSON, where true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def resolve(schema: Any, root: Mapping[str, Any]) -> Any:
    """What a schema's `$ref` names, if it has one; else the schema."""
    for _ in range(32):  # a chain of references; pydantic makes one link
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        schema = root.get("$defs", {}).get(str(schema["$ref"]).removeprefix("#/$defs/"), True)
    return True


def describe(schema: Any, root: Mapping[str, Any], depth: int = 2) -> str:
    """What a schema asks for, in words, in at most a few hundred characters.

    Args:
        schema: The schema.
        root: The schema whose `$defs` the references name.
        depth: How many levels of lists and unions to describe.
    """
    schema = resolve(schema, root)
    if not isinstance(schema, Mapping):
        return "any value"
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if allowed is not None:
        shown = [json.dumps(one, ensure_ascii=False)[:40] for one in allowed[:12]]
        more = ", …" if len(allowed) > len(shown) else ""
        return shown[0] if len(allowed) == 1 else f"one of {', '.join(shown)}{more}"
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        if depth == 0:
            return "another value"
        # Each kind once: a Decimal is a number or a string with a pattern.
        words = dict.fromkeys(describe(branch, root, depth - 1) for branch in branches[:6])
        return " or ".join(words)
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        return (
            "a list"
            if depth == 0 or not items
            else f"a list, each {describe(items, root, depth - 1)}"
        )
    if kind == "object" and schema.get("properties"):
        names = list(schema["properties"])
        return f"an object with {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "a string")
    if kind in ("integer", "number"):
        return _TYPES[kind] + _limits(schema)
    return _TYPES.get(str(kind), "any value")


def _limits(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return "" if high is None else f" of at most {high}"
