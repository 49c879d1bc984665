"""The JSON schema of a Python function."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType, SimpleNamespace
from typing import Annotated, Any, NoReturn, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.fields import Field, FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from .docstring import Documentation, read_docstring
from .secret import has_secrets

NAME_PATTERN = "[a-zA-Z0-9_-]{1,64}"
"""What a tool may be called; Mistral refuses every other name."""

ContextType = type[Any] | Callable[[Any], bool]
"""What marks a function's first parameter as the call: its class, or a predicate on the type."""

# Keywords under which a JSON schema holds names of the user's own, each with a schema.
_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
# Keywords under which it holds schemas. Everything else is data, and left alone.
_SCHEMAS = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")


class DefinitionError(TypeError):
    """A function cannot be a tool as it is written; the message says where and what to change."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a model is told about a function, and what checks that it listened.

    Attributes:
        name: What the model calls.
        description: What the model is told that it does.
        parameters: The JSON schema of the arguments, an object that allows no other fields.
        model: The pydantic model of the arguments, by its `fields`; None when only the JSON
            schema is known, as of another server's tool.
        fields: The name of each parameter, by the name of its field in `model`. (A field is
            never called as its parameter: pydantic forbids `_x`, `copy`, `model_config`.)
        context: The parameter that receives the call, if there is one.
        where: Where the function is defined, as `file:line`.
        secrets: Whether anything in the arguments is marked as `Secret`.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    model: type[BaseModel] | None
    fields: Mapping[str, str]
    context: str | None
    where: str
    secrets: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "secrets", has_secrets(self.parameters))


def read_schema(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    context_type: ContextType | None = None,
) -> Schema:
    """Read a function's signature and docstring.

    Args:
        function: A function or bound method, sync or async, whose parameters are all typed.
        name: What the model calls it; by default, the function's own name.
        description: What the model is told; by default, the docstring's summary and
            long description.
        context_type: When the first parameter's type is this class, a subclass of it or
            `context_type[...]`, or satisfies this predicate, it is the call: the caller of
            the tool passes it, and the model does not hear of it.

    Raises:
        DefinitionError: The function cannot be a tool as it is written.
    """
    return _Reader(function, name, context_type).read(description)


class _Reader:
    """Reads one function; holds what its errors have to say."""

    def __init__(
        self, function: Callable[..., Any], name: str | None, context_type: ContextType | None
    ) -> None:
        self.function = function
        self.context_type = context_type
        inner = inspect.unwrap(function)
        self.inner = getattr(inner, "__func__", inner)
        code = getattr(self.inner, "__code__", None)
        self.where = f"{code.co_filename}:{code.co_firstlineno}" if code else "unknown place"
        self.own_name = str(getattr(function, "__name__", None) or repr(function))
        self.name = self.own_name if name is None else name

    def fail(self, problem: str, cause: BaseException | None = None) -> NoReturn:
        raise DefinitionError(f"tool {self.name!r} ({self.where}): {problem}") from cause

    def read(self, description: str | None) -> Schema:
        self.check_function()
        told = self.documentation(description)
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError) as error:  # built-in functions have none
            self.fail("its signature cannot be read: wrap it in a `def` with types", error)
        context: str | None = None
        types: dict[str, Any] = {}
        for index, parameter in enumerate(parameters):
            annotation = self.annotation(parameter)
            if _is_context(annotation, self.context_type):
                if index:
                    self.fail(
                        f"parameter {parameter.name!r} is the call, which comes first: "
                        "move it to the front"
                    )
                context = parameter.name
            else:
                types[parameter.name] = annotation
        unknown = told.parameters.keys() - {parameter.name for parameter in parameters}
        if unknown:
            self.fail(
                f"the docstring describes {', '.join(sorted(map(repr, unknown)))}, which is no "
                f"parameter: rename or remove it (parameters: {', '.join(types) or 'none'})"
            )
        fields: dict[str, Any] = {}
        names: dict[str, str] = {}
        for parameter in parameters:
            if parameter.name != context:
                key = f"p{len(fields)}"
                names[key] = parameter.name
                said = told.parameters.get(parameter.name)
                fields[key] = self.field(parameter, types[parameter.name], said)
        config = ConfigDict(extra="forbid", allow_inf_nan=False)
        model = create_model(self.name, __config__=config, **fields)
        return Schema(
            name=self.name,
            description=told.text,
            parameters=self.json_schema(model),
            model=model,
            fields=names,
            context=context,
            where=self.where,
        )

    def check_function(self) -> None:
        if not inspect.isroutine(self.function):
            self.fail(
                "not a function: decorate a `def` or `async def`, or pass a bound method "
                "(of a partial or callable object, wrap the call in a `def`)"
            )
        if not re.fullmatch(NAME_PATTERN, self.name):
            self.fail(
                "a tool's name is 1 to 64 of the letters a-z and A-Z, digits, '_' and '-': "
                "give it one with `name=`"
            )
        if inspect.isgeneratorfunction(self.inner):
            self.fail(
                "it yields in a `def`: make it an `async def` that yields Progress(...) and "
                "last its Result(...), or return once"
            )

    def documentation(self, description: str | None) -> Documentation:
        # The line break: it is clean already, and its first line counts like the others.
        text = "\n" + (inspect.getdoc(self.function) or "")
        try:
            told = read_docstring(text)
        except ValueError as error:
            self.fail(f"the docstring's parameters cannot be read: {error}", error)
        if description is not None:
            told = Documentation(description.strip(), told.parameters)
        if not told.text:
            self.fail(
                "no description: start its docstring with a sentence that tells the model "
                "what it does (or pass `description=`)"
            )
        return told

    def annotation(self, parameter: inspect.Parameter) -> Any:
        """The type of a parameter, with names in it looked up."""
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            self.fail(
                f"parameter '{stars}{name}' has no schema: write each parameter out, "
                "or take one `list[...]` or `dict[str, ...]`"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            self.fail(
                f"parameter {name!r} is positional-only, and a model names what it "
                "passes: remove the `/`"
            )
        if parameter.annotation is parameter.empty:
            if name in ("self", "cls"):
                self.fail(
                    f"it takes {name!r}: make a tool of the bound method, as in "
                    f"`tool(thing.{self.own_name})`"
                )
            call = getattr(self.context_type, "__name__", None)
            hint = f" (or `{name}: {call}` if it is the call)" if call else ""
            self.fail(f"parameter {name!r} has no type: write it, as in `{name}: str`{hint}")
        shim = SimpleNamespace(__annotations__={name: parameter.annotation})
        namespace = getattr(self.inner, "__globals__", {})
        try:
            hints = get_type_hints(shim, namespace, self.locals(), include_extras=True)
        except NameError as error:
            self.fail(
                f"parameter {name!r} has the type {parameter.annotation!r}, and {error.name!r} "
                "is not known where the tool is defined: import it at run time, not only "
                "under TYPE_CHECKING",
                error,
            )
        except Exception as error:  # noqa: BLE001 (an annotation is any expression)
            self.fail(
                f"parameter {name!r} has the type {parameter.annotation!r}, "
                f"which cannot be read: {error}",
                error,
            )
        return hints[name]

    def locals(self) -> dict[str, Any]:
        """The names local to the function in which this one is being defined.

        Annotations that are strings (`from __future__ import annotations`) may name them.
        """
        outer = self.inner.__qualname__.rpartition(".<locals>.")[0]
        frame: FrameType | None = sys._getframe(1) if outer else None  # noqa: SLF001
        while frame is not None:
            if frame.f_code.co_qualname == outer and frame.f_globals is self.inner.__globals__:
                return dict(frame.f_locals)
            frame = frame.f_back
        return {}

    def field(self, parameter: inspect.Parameter, annotation: Any, said: str | None) -> Any:
        """The pydantic field of a parameter."""
        name, default = parameter.name, parameter.default
        described = False
        for info in _field_infos(annotation):
            described = described or info.description is not None
            if not info.is_required():
                self.fail(
                    f"parameter {name!r} has its default in `Field(...)`: "
                    f"write it as `{name}: ... = default`"
                )
            if info.alias is not None or info.validation_alias is not None:
                self.fail(f"parameter {name!r} has an alias: rename the parameter instead")
        if isinstance(default, FieldInfo):
            self.fail(
                f"parameter {name!r} has `Field(...)` as its default: "
                f"write `{name}: Annotated[..., Field(...)]`"
            )
        try:
            adapter = TypeAdapter(annotation)
            adapter.json_schema(schema_generator=_Generator)
        except PydanticUserError as error:
            reason = str(error).partition("\n")[0].partition(" Set `arbitrary_types")[0]
            self.fail(
                f"parameter {name!r} has the type {_show(annotation)}, which has no JSON "
                f"schema: use a basic type, Literal, Enum, date, list, dict, dataclass, "
                f"TypedDict or pydantic model ({reason.rstrip('.')})",
                error,
            )
        except Exception as error:  # noqa: BLE001 (pydantic lets several kinds out)
            self.fail(
                f"parameter {name!r} has the type {_show(annotation)}, "
                f"which cannot be read: {error}",
                error,
            )
        extras: dict[str, Any] = {"alias": name}
        if said and not described:
            extras["description"] = said
        if default is not parameter.empty:
            extras["default"] = default
            try:
                adapter.validate_python(default, strict=True)
            except ValidationError as error:
                optional = " (or add `| None` to the type)" if default is None else ""
                self.fail(
                    f"parameter {name!r} has the default {_show(default)}, which is not of its "
                    f"type {_show(annotation)}: change one of them{optional}",
                    error,
                )
        if not (said or described):
            self.fail(
                f"parameter {name!r} is not described, and a model must know what to pass: "
                f"add `{name}: ...` under `Args:` in the docstring (or "
                '`Annotated[..., Field(description="...")]`)'
            )
        return annotation, Field(**extras)

    def json_schema(self, model: type[BaseModel]) -> dict[str, Any]:
        try:
            schema = model.model_json_schema(schema_generator=_Generator)
            json.dumps(schema, allow_nan=False)
        except (PydanticUserError, TypeError, ValueError) as error:
            self.fail(f"its parameters have no JSON schema: {error}", error)
        stripped = strip_titles(schema)
        # An empty object is still an object: some servers insist on the field.
        return {"type": "object", "properties": {}, **stripped}


class _Generator(GenerateJsonSchema):
    """Pydantic's own JSON schema, but strict where pydantic would leave something out."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        # A default that JSON cannot hold is left out: the model need not know it. A part of
        # a union that JSON cannot hold would make the schema tell half the truth.
        if kind == "skipped-choice":
            raise PydanticInvalidForJsonSchema(detail)

    def is_subclass_schema(self, schema: Any) -> dict[str, Any]:
        # Pydantic writes `{}`, yet nothing in JSON is a class.
        return self.handle_invalid_for_json_schema(schema, "a class")


def strip_titles(schema: Any) -> Any:
    """A JSON schema without the `title` of anything; a property called `title` stays.

    Args:
        schema: A JSON schema; not changed.
    """
    if not isinstance(schema, dict):
        return schema
    stripped: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            stripped[key] = {name: strip_titles(inner) for name, inner in value.items()}
        elif key in _SCHEMAS:
            stripped[key] = strip_titles(value)
        elif key in _LISTS and isinstance(value, list):
            stripped[key] = [strip_titles(inner) for inner in value]
        elif key != "title":
            stripped[key] = value
    return stripped


def _is_context(annotation: Any, context_type: ContextType | None) -> bool:
    if context_type is None:
        return False
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(context_type, type):
        origin = get_origin(annotation) or annotation
        return isinstance(origin, type) and issubclass(origin, context_type)
    return bool(context_type(annotation))


def _field_infos(annotation: Any) -> list[FieldInfo]:
    if get_origin(annotation) is not Annotated:
        return []
    return [extra for extra in get_args(annotation)[1:] if isinstance(extra, FieldInfo)]


def _show(thing: Any) -> str:
    text = thing.__name__ if type(thing) is type else repr(thing)
    return text if len(text) <= 80 else text[:79] + "…"
