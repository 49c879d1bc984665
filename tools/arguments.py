"""The arguments that a model sent."""

import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import ValidationError

from .conversion import Conversion, Path, TooComplicatedError, convert, describe
from .schema import Schema
from .secret import MARK, is_secret

SIZE_LIMIT = 65_536
"""The most characters of JSON (or in the texts of an object) that are looked at."""

DEPTH_LIMIT = 32
"""The most levels of lists and objects."""

_INTEGER_BITS = 4_096  # Python does not write out integers of more than 4300 digits
_SHOWN = 60  # characters of a value that was sent
_PROBLEMS = 8  # problems told at once
_MESSAGE = 1_500  # characters of the whole message


class BadArguments(ValueError):  # noqa: N818 (what the model reads, not a fault of ours)
    """A model sent arguments that do not fit; the message tells the model what to repair.

    Attributes:
        problems: What is wrong, a sentence each.
    """

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        told = [_cut(problem, 300) for problem in problems[:_PROBLEMS]]
        if len(problems) > _PROBLEMS:
            told.append(f"and {len(problems) - _PROBLEMS} more")
        text = f"{name} was not run, its arguments do not fit. {'; '.join(told)}."
        super().__init__(_cut(text, _MESSAGE) + " Repair them and call it again.")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a model sent, checked.

    Attributes:
        first: The typed value of each parameter that was sent, by its name.
        canonical: The same as one JSON text, defaults included: equal for calls that ask for
            the same, however they were written. It holds secrets.
        values: Makes the typed values anew, for a function that changes what it is given.
    """

    first: dict[str, Any]
    canonical: str
    values: Callable[[], dict[str, Any]] = field(repr=False, compare=False)


def parse_arguments(schema: Schema, sent: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Read and check what a model sent, as typed Python values.

    A value of another JSON type is converted when it can mean only one thing (`"4"` or `4.0`
    for an integer, `"true"` for a boolean), and refused otherwise (`true` for an integer, a
    number for a date). `null` for a parameter that has a default but takes no null means
    that it was left out. Nothing is guessed.

    Args:
        schema: The tool's.
        sent: JSON text, or an object that was read from JSON. None, an empty text and `null`
            stand for no arguments; a JSON string with an object in it is read as the object.

    Returns:
        The value of each parameter that was sent, by its name. Parameters that were not sent
        are left to the function's defaults.

    Raises:
        BadArguments: They do not fit; the message tells the model what to repair, and holds
            no secrets.
        Exception: Whatever a validator of the user's own raises, apart from ValueError and
            AssertionError, which become BadArguments.
    """
    return read_arguments(schema, sent).first


def read_arguments(schema: Schema, sent: str | Mapping[str, Any] | None) -> Arguments:
    """Read and check what a model sent; see `parse_arguments`."""
    values = _object(schema, sent)
    _check_values(schema, values)
    try:
        values, problems = _convert(schema, values)
    except TooComplicatedError:
        _refuse(schema, "they are nested in too many ways: send something simpler")
    # As JSON, so that pydantic reads dates, sets and tuples as JSON has them.
    text = json.dumps(values)
    typed = functools.partial(_typed, schema, text)
    checked: dict[str, Any] = {}
    try:
        checked = typed()
    except ValidationError as error:
        known = {path for path, _ in problems}
        for detail in error.errors(include_url=False, include_context=False):
            path = _real_path(detail["loc"], detail["type"], values)
            if not any(path[: len(other)] == other for other in known):
                problems.append(
                    (path, _explain(schema, detail["type"], detail["msg"], path, values))
                )
    if problems:
        raise BadArguments(schema.name, [f"{_place(path)}: {said}" for path, said in problems])
    defaults = {
        name: part["default"]
        for name, part in schema.parameters["properties"].items()
        if isinstance(part, Mapping) and "default" in part
    }
    return Arguments(checked, json.dumps({**defaults, **values}, sort_keys=True), typed)


def _typed(schema: Schema, text: str) -> dict[str, Any]:
    """The values as the function takes them, from JSON text."""
    if schema.model is None:
        values: dict[str, Any] = json.loads(text)
        return values
    checked = schema.model.model_validate_json(text)
    return {
        name: getattr(checked, key)
        for key, name in schema.fields.items()
        if key in checked.model_fields_set
    }


def _refuse(schema: Schema, problem: str) -> NoReturn:
    raise BadArguments(schema.name, [problem])


def _object(schema: Schema, sent: object) -> dict[str, Any]:
    """The object that was sent, in whichever wrapping."""
    for _ in range(2):
        if not isinstance(sent, str):
            break
        if len(sent) > SIZE_LIMIT:
            _refuse(schema, f"they have {len(sent)} characters: send at most {SIZE_LIMIT}")
        if not sent.strip():
            return {}
        sent = _load(schema, sent)
    if sent is None:
        return {}
    if not isinstance(sent, Mapping):
        got = MARK if schema.secrets else _show(sent)
        _refuse(schema, f"got {got}, expected one JSON object, as in {_example(schema)}")
    return dict(sent)


def _load(schema: Schema, text: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            _refuse(schema, f"{_cut(twice, _SHOWN)}: given more than once, give it once")
        return found

    def constant(name: str) -> NoReturn:
        _refuse(schema, f"{name} is not JSON: send a number, or leave it out")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        near = MARK if schema.secrets else _show(text[max(0, error.pos - 20) : error.pos + 20])
        _refuse(
            schema,
            f"not valid JSON ({error.msg} at character {error.pos}, near {near}): "
            f"send one JSON object, as in {_example(schema)}",
        )
    except RecursionError:
        _refuse(schema, f"nested too deeply: at most {DEPTH_LIMIT} levels")
    except BadArguments:
        raise
    except ValueError:  # an integer of more than 4300 digits
        _refuse(schema, "a number in them is too long")


def _check_values(schema: Schema, values: dict[str, Any]) -> None:
    """Refuse what is no JSON, or too much of it, before anything recurses into it."""
    pending: list[tuple[Path, Any]] = [((), values)]
    size = 0
    while pending:
        path, value = pending.pop()
        if len(path) > DEPTH_LIMIT:
            _refuse(schema, f"{_place(path[:3])}: nested too deeply, at most {DEPTH_LIMIT} levels")
        size += len(value) if isinstance(value, str) else 1
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    _refuse(schema, f"{_place(path)}: the key {_show(key)} is not a string")
                size += len(key)
                _check_text(schema, path, key)
                pending.append(((*path, key), item))
        elif isinstance(value, list):
            pending += [((*path, index), item) for index, item in enumerate(value)]
        elif isinstance(value, str):
            _check_text(schema, path, value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                _refuse(schema, f"{_place(path)}: not a finite number")
        elif isinstance(value, int):
            if value.bit_length() > _INTEGER_BITS:
                _refuse(schema, f"{_place(path)}: the number is too long")
        elif value is not None:
            _refuse(schema, f"{_place(path)}: {_show(value)} is not JSON")
        if size > SIZE_LIMIT:
            _refuse(schema, f"they are too long: send at most {SIZE_LIMIT} characters")


def _check_text(schema: Schema, path: Path, text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            _refuse(schema, f"{_place(path)}: has half of a surrogate pair, send whole characters")


def _convert(
    schema: Schema, values: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    root = schema.parameters
    required = root.get("required", ())
    converted: dict[str, Any] = {}
    problems: list[tuple[Path, str]] = []
    for name, value in values.items():
        wanted = root["properties"].get(name, True)
        try:
            result = convert(value, wanted, root=root)
        except (TypeError, ValueError, AttributeError, RecursionError):
            if schema.model is not None:
                raise
            result = Conversion(value)  # a stranger's schema may be odd; its server will tell
        if value is None and result.mismatches and name not in required:
            continue
        converted[name] = result.value
        for found in result.mismatches:
            path = (name, *found.path)
            got = _show_at(schema, path, found.value)
            problems.append((path, f"got {got}, expected {found.expected}"))
    if schema.model is None:  # nobody else will tell
        missing = [name for name in required if name not in converted]
        problems += [((name,), _explain(schema, "missing", "", (name,), {})) for name in missing]
        if root.get("additionalProperties") is False:
            for name in converted.keys() - root["properties"].keys():
                problems.append(((name,), _explain(schema, "extra_forbidden", "", (name,), {})))
    return converted, problems


def _show_at(schema: Schema, path: Path, value: object) -> str:
    """A value as the model wrote it, unless it is a secret."""
    if schema.secrets and is_secret(path, schema.parameters, schema.parameters):
        return MARK
    return _show(value)


def _explain(schema: Schema, kind: str, said: str, path: Path, values: Any) -> str:
    """One of pydantic's errors, in words for a model."""
    properties = schema.parameters["properties"]
    wanted = properties.get(path[0]) if len(path) == 1 else None
    expected = "" if wanted is None else f", expected {describe(wanted, schema.parameters)}"
    if kind == "missing":
        return f"missing{expected}"
    if kind == "extra_forbidden":
        fields = f" ({schema.name} takes {', '.join(properties) or 'nothing'})"
        return f"unknown, leave it out{fields if len(path) == 1 else ''}"
    for part in path:
        values = values[part]
    got = _show_at(schema, path, values)
    if got == MARK:  # a validator's words may repeat it
        return f"got {MARK}{expected or ', which does not fit'}"
    if expected and kind.endswith(("_parsing", "_type")):
        return f"got {got}{expected}"
    for prefix in ("Value error, ", "Assertion failed, "):
        said = said.removeprefix(prefix)
    said = said[:1].lower() + said[1:] if said.startswith("Input ") else said
    return f"got {got}, {_cut(said, 200)}"


def _real_path(location: Path, kind: str, values: Any) -> Path:
    """Pydantic's location without the parts that name a type, such as a union's members."""
    path: list[str | int] = []
    for part in location:
        inside = part in values if isinstance(values, dict) else False
        if inside or (isinstance(values, list) and isinstance(part, int) and part < len(values)):
            values = values[part]
            path.append(part)
    if kind == "missing":
        path.append(location[-1])
    return tuple(path)


def _place(path: Path) -> str:
    return _cut(".".join(str(part) for part in path), 100) or "they"


def _example(schema: Schema) -> str:
    names = list(schema.parameters["properties"])[:3]
    return "{" + ", ".join(f'"{name}": …' for name in names) + "}"


def _show(value: object) -> str:
    """A value as the model wrote it, shortened before it is written out."""
    if isinstance(value, str):
        return _cut(json.dumps(value[: 2 * _SHOWN], ensure_ascii=False), _SHOWN)
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object"
    if value is None or isinstance(value, bool | float):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() <= _INTEGER_BITS:
        return _cut(str(value), _SHOWN)
    return f"a {type(value).__name__}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
