"""The request's tools, read from their JSON schemas into typed parameters."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from vivavoce.sandbox.brain_when import UNITS
from vivavoce.sandbox.brain_words import bag, content, name_words

Kind = Literal[
    "integer", "number", "boolean", "enum", "date", "time", "datetime", "duration",
    "email", "phone", "person", "place", "text", "string", "code", "any",
]  # fmt: skip

_DEEPEST = 8  # nested $ref, anyOf and objects
MAX_TOOLS = 128  # what Mistral's API takes
_MAX_PARAMS = 64

PERSON = bag(
    "name names surname person contact recipient payee beneficiary guest caller customer "
    "patient client"
)
PLACE = bag(
    "city town place location address country destination origin area region room station "
    "airport where street district"
)
TEXT = bag(
    "message note notes text body content reason comment comments query question topic subject "
    "task description details search keywords feedback request what instructions item things "
    "complaint summary"
)
_CODE = bag("id code number reference ref pin iban account order booking")
_NOT_PERSON = bag(
    "file city song street tool product device room item artist song track film movie movie "
    "company dish"
)
MONEY = bag("amount price budget sum money cost payment total fare euros dollars pounds")


@dataclass(frozen=True, slots=True)
class Param:
    """One leaf of a tool's schema.

    Attributes:
        path: Names from the root, longer than one inside a nested object.
        description: The author's words, perhaps empty.
        kind: What values it takes; of its items when `many`.
        choices: The values of an enum, as they stand in the schema.
        required: Whether the call is invalid without it.
        many: Whether it is an array.
        least: Smallest number allowed, or None.
        most: Largest number allowed, or None.
        words: Words of its name.
        cues: Stems of its name's and description's words.
        item: When the items of an array are objects, their parameters.
    """

    path: tuple[str, ...]
    description: str
    kind: Kind
    choices: tuple[Any, ...] = ()
    required: bool = False
    many: bool = False
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()
    cues: frozenset[str] = frozenset()
    item: "tuple[Param, ...]" = ()

    @property
    def unit(self) -> str:
        """`minute`, `night`, ... when a number counts a time unit, else empty."""
        spoken: list[str] = re.findall(r"[a-z]+", self.description.lower())
        both = (*self.words, *spoken)
        for word in both:
            bare = word.removesuffix("s")
            if bare in UNITS and (word != bare or word in self.words):
                return bare
        return ""

    @property
    def money(self) -> bool:
        """Whether a number is a sum of money."""
        return bool(MONEY & {*self.words})

    @property
    def role(self) -> str:
        """`from` or `to` for one end of a range or a route, else empty."""
        named = {*self.words}
        if named & {"from", "start", "source", "origin", "arrival", "begin", "departure", "in"}:
            return "from"
        if named & {"to", "end", "until", "dest", "destination", "return", "out", "target",
                    "recipient", "payee", "beneficiary"}:  # fmt: skip
            return "to"
        return ""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of the request."""

    name: str
    description: str
    params: tuple[Param, ...] = field(default=())

    @property
    def words(self) -> tuple[str, ...]:
        """Words of its name."""
        return name_words(self.name)

    def param(self, path: tuple[str, ...]) -> Param | None:
        """The parameter at `path`."""
        return next((p for p in self.params if p.path == path), None)


_HANG_UP = ({"hang", "up"}, {"end", "call"}, {"goodbye"}, {"hangup"}, {"finish", "call"},
            {"terminate", "call"}, {"end", "conversation"}, {"close", "call"},
            {"disconnect"})  # fmt: skip


def hangs_up(name: str) -> bool:
    """Whether a tool of this name ends the call."""
    words = {*name_words(name)}
    return any(named <= words for named in _HANG_UP)


def read_tools(tools: Any) -> tuple[Tool, ...]:
    """Read the request's `tools`; what is no function with a name is left out.

    Takes OpenAI's and Mistral's shape (`{"type": "function", "function": {...}}`) and bare
    functions. Never raises.
    """
    if not isinstance(tools, list | tuple):
        return ()
    out: dict[str, Tool] = {}
    for entry in tools[:MAX_TOOLS]:
        if not isinstance(entry, Mapping):
            continue
        function = entry.get("function", entry)
        if not isinstance(function, Mapping):
            continue
        name = function.get("name")
        if not isinstance(name, str) or not name.strip():
            continue
        schema = function.get("parameters", function.get("input_schema"))
        try:
            key = json.dumps(schema, default=str, skipkeys=True)
        except (TypeError, ValueError, RecursionError):
            key = "{}"
        out.setdefault(name, _tool(name, _text(function.get("description")), key))
    return tuple(out.values())


@lru_cache(maxsize=512)
def _tool(name: str, description: str, schema: str) -> Tool:
    # Each turn sends the same tools again: reading them once keeps 128 of them cheap.
    try:
        root = json.loads(schema)
    except (ValueError, RecursionError):
        root = {}
    params: list[Param] = []
    if isinstance(root, dict):
        _walk(root, root, (), required=True, depth=0, out=params)
    summary = re.split(r"\n\s*(?:Args|Arguments|Parameters|Returns|Raises)\s*:?\s*\n", description)[
        0
    ]
    return Tool(name, " ".join(summary.split())[:600], tuple(params[:_MAX_PARAMS]))


def _walk(
    node: dict[str, Any],
    root: dict[str, Any],
    path: tuple[str, ...],
    *,
    required: bool,
    depth: int,
    out: list[Param],
) -> None:
    properties = node.get("properties")
    if not isinstance(properties, dict) or depth > _DEEPEST or len(out) > _MAX_PARAMS:
        return
    listed = node.get("required")
    needed = {n for n in listed if isinstance(n, str)} if isinstance(listed, list) else set()
    for name, raw in properties.items():
        spec = _resolve(raw, root, 0)
        must = required and name in needed and "default" not in spec
        here = (*path, name)
        if spec.get("type") == "object" or isinstance(spec.get("properties"), dict):
            _walk(spec, root, here, required=must, depth=depth + 1, out=out)
            continue
        out.append(_leaf(here, spec, root, required=must))


def _resolve(spec: Any, root: dict[str, Any], depth: int) -> dict[str, Any]:
    """Follow `$ref`, drop null from `anyOf`, merge `allOf`; outer keys win over inner."""
    if not isinstance(spec, dict):
        return {}
    if depth > _DEEPEST:
        return {}
    outer = {k: v for k, v in spec.items() if k not in {"$ref", "anyOf", "oneOf", "allOf"}}
    inner: dict[str, Any] = {}
    ref = spec.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):
        inner |= _resolve(_pointer(root, ref), root, depth + 1)
    merged = spec.get("allOf")
    if isinstance(merged, list):
        for part in merged[:16]:
            inner |= _resolve(part, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        options = spec.get(key)
        if not isinstance(options, list):
            continue
        parts = [_resolve(o, root, depth + 1) for o in options[:16]]
        parts = [p for p in parts if p and p.get("type") != "null"]
        # The most telling alternative: one with a format or choices before a bare string.
        parts.sort(key=lambda p: not ("format" in p or "enum" in p or p.get("type") != "string"))
        if parts:
            inner |= parts[0]
    return inner | outer


def _pointer(root: dict[str, Any], ref: str) -> Any:
    node: Any = root
    for part in ref.lstrip("#/").split("/"):
        if not isinstance(node, dict):
            return {}
        node = node.get(part.replace("~1", "/").replace("~0", "~"))
    return node


def _leaf(
    path: tuple[str, ...], spec: dict[str, Any], root: dict[str, Any], *, required: bool
) -> Param:
    description, many = _text(spec.get("description")), False
    kind_of = spec.get("type")
    types = [t for t in kind_of if t != "null"] if isinstance(kind_of, list) else [kind_of]
    if types[:1] == ["array"]:
        many = True
        spec = _resolve(spec.get("items"), root, 0)
        kind_of = spec.get("type")
        types = kind_of if isinstance(kind_of, list) else [kind_of]
    words = tuple(w for part in path[-2:] for w in name_words(part))
    kind, choices = _kind(types[0] if types else None, spec, words, description)
    item: list[Param] = []
    if many and len(path) <= _DEEPEST:
        _walk(spec, root, (), required=True, depth=len(path), out=item)
    return Param(
        path=path,
        item=tuple(item),
        description=description,
        kind=kind,
        choices=choices,
        required=required,
        many=many,
        least=_bound(spec, "minimum", "exclusiveMinimum", step=1),
        most=_bound(spec, "maximum", "exclusiveMaximum", step=-1),
        words=words,
        cues=frozenset(content(re.findall(r"[a-z]+", " ".join((*words, description.lower()))))),
    )


def _kind(
    type_of: Any, spec: dict[str, Any], words: tuple[str, ...], description: str
) -> tuple[Kind, tuple[Any, ...]]:
    choices = spec.get("enum")
    if not isinstance(choices, list) and "const" in spec:
        choices = [spec["const"]]
    if isinstance(choices, list) and choices:
        kept = tuple(c for c in choices[:200] if isinstance(c, str | int | float))
        if kept:
            return "enum", kept
    if type_of in {"integer", "number", "boolean"}:
        return type_of, ()
    if type_of not in {"string", None}:
        return "any", ()
    formats: dict[str, Kind] = {
        "date": "date", "time": "time", "date-time": "datetime", "duration": "duration",
        "email": "email", "idn-email": "email", "phone": "phone",
    }  # fmt: skip
    if (form := spec.get("format")) in formats if isinstance(spec.get("format"), str) else False:
        return formats[str(form)], ()
    return _string_kind({*words}, description.lower()), ()


def _string_kind(words: set[str], about: str) -> Kind:
    """What a plain string is about, from its name first and its description second."""
    if words & {"email", "mail"} or "e-mail address" in about or "email address" in about:
        return "email"
    if words & {"phone", "telephone", "mobile"} or "phone number" in about:
        return "phone"
    if "yyyy-mm-dd" in about and "hh:mm" in about:
        return "datetime"
    if "yyyy-mm-dd" in about or "iso date" in about:
        return "date"
    if "hh:mm" in about:
        return "time"
    if words & {"datetime", "timestamp"}:
        return "datetime"
    if words & {"date"}:
        return "date"
    if words & {"time"} and not words & {"zone", "timezone"}:
        return "time"
    if words & PLACE:
        return "place"
    if words & PERSON and not words & _NOT_PERSON:
        return "person"
    if words & TEXT and not words & _CODE:
        return "text"
    if words & _CODE:
        return "code"
    if re.search(r"\b(city|town|place) ", about) or re.search(
        r"\bname of the (city|town|place)", about
    ):
        return "place"
    if re.search(r"\b(whose|who|name of the (guest|caller|customer|person))\b", about):
        return "person"
    return "string"


def _bound(spec: dict[str, Any], inclusive: str, exclusive: str, *, step: int) -> float | None:
    value = spec.get(inclusive)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e15 else None
    value = spec.get(exclusive)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return float(value + step) if spec.get("type") == "integer" else float(value)
    return None


def _text(value: Any) -> str:
    return " ".join(value[:2000].split(" ")) if isinstance(value, str) else ""
