"""Makes valid messages from the schemas themselves, and spoils valid JSON in one place.

A second reading of the schemas: it knows JSON Schema's keywords as far as ours use them and fails
on any other, so that a new keyword cannot go untested in silence.
"""

import copy
import datetime
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
from hypothesis import strategies as st

from contracts.schema import schema_document, schema_names

Schema = dict[str, Any]

DOCUMENTS: dict[str, Schema] = {
    str(document["$id"]): document for document in map(schema_document, schema_names())
}
_DAYS = st.dates(datetime.date(2020, 1, 1), datetime.date(2039, 12, 31)).map(str)
_TIMES = st.datetimes(
    datetime.datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    datetime.datetime(2039, 12, 31),  # noqa: DTZ001 - hypothesis wants naive bounds
).map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
# What a pattern cannot say: the day must be in the calendar.
_BY_NAME: dict[str, st.SearchStrategy[str]] = {"time": _TIMES, "date": _DAYS, "maybe_date": _DAYS}
_IGNORED = {"description", "default", "$comment", "title", "$schema", "$id", "$defs"}
_KNOWN = _IGNORED | {
    *("type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum"),
    *("items", "minItems", "maxItems", "uniqueItems", "if", "then", "else", "$ref"),
    *(
        "properties",
        "required",
        "additionalProperties",
        "dependentRequired",
        "anyOf",
        "allOf",
        "not",
    ),
}


def resolve(schema: Schema, document: Schema) -> tuple[Schema, Schema]:
    """Follow a reference; the target and the document that it stands in."""
    while "$ref" in schema:
        identifier, _, pointer = schema["$ref"].partition("#")
        document = DOCUMENTS[identifier] if identifier else document
        schema = document
        for part in pointer.strip("/").split("/"):
            schema = schema[part]
    return schema, document


def body_schema(message_type: str) -> tuple[Schema, Schema]:
    """The schema of a message type's body and its document."""
    document = message_schema(message_type)
    return document["$defs"]["body"], document


def message_schema(message_type: str) -> Schema:
    """The schema of a message type, which is a document."""
    return DOCUMENTS[f"urn:rujukan:case-referral:1:{message_type}"]


def messages(message_type: str) -> st.SearchStrategy[Any]:
    """Valid messages of this type, head and all."""
    return instances(message_schema(message_type), message_schema(message_type))


def bodies(message_type: str) -> st.SearchStrategy[Any]:
    """Valid bodies of this type."""
    return instances(*body_schema(message_type))


def instances(schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    """Valid instances of a schema."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name in _BY_NAME:
        return _BY_NAME[name]
    schema, document = resolve(schema, document)
    if unknown := schema.keys() - _KNOWN:
        raise NotImplementedError(f"the tests do not know {sorted(unknown)}")
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    maker = _MAKERS["array" if isinstance(kind, list) else kind]
    made = maker(schema, document)
    if isinstance(kind, list):  # a list, or the word that says why there is none
        made |= st.sampled_from(resolve(schema["then"], document)[0]["enum"])
    return made


def _strings(schema: Schema, _document: Schema) -> st.SearchStrategy[Any]:
    if "pattern" not in schema:
        alphabet = st.characters(exclude_categories=("Cc", "Cs"))
        return st.text(
            alphabet, min_size=schema["minLength"], max_size=min(schema["maxLength"], 60)
        )
    return st.from_regex(schema["pattern"], fullmatch=True, alphabet=st.characters(codec="ascii"))


def _integers(schema: Schema, _document: Schema) -> st.SearchStrategy[Any]:
    return st.integers(schema["minimum"], schema["maximum"])


def _arrays(schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    items = instances(schema["items"], document)
    if "allOf" in schema:  # one item of each kind
        kinds = (one["contains"]["properties"] for one in schema["allOf"])
        made = (instances(_of_kind(schema["items"], kind), document) for kind in kinds)
        return st.tuples(*made).map(list)
    least, most = schema.get("minItems", 0), min(schema["maxItems"], 4)
    unique: Callable[[Any], str] | None = str if schema.get("uniqueItems") else None
    return st.lists(items, min_size=least, max_size=most, unique_by=unique)


def _of_kind(items: Schema, kind: Schema) -> Schema:
    return {**items, "properties": {**items["properties"], **kind}}


@st.composite
def _objects(draw: st.DrawFn, schema: Schema, document: Schema) -> Any:
    required = set(schema.get("required", ()))
    made = {
        name: draw(instances(member, document))
        for name, member in schema["properties"].items()
        if name in required or draw(st.booleans())
    }
    for alternative in draw(st.sampled_from([[], *([one] for one in schema.get("anyOf", ()))])):
        _keep(draw, made, alternative, schema, document)
    if "anyOf" in schema and not any(_holds(one, made) for one in schema["anyOf"]):
        _keep(draw, made, schema["anyOf"][0], schema, document)
    for name, needed in schema.get("dependentRequired", {}).items():
        if name in made:
            _keep(draw, made, {"required": needed}, schema, document)
    for condition in [schema, *schema.get("allOf", ())]:
        if "if" in condition:
            branch = "then" if _holds(condition["if"], made) else "else"
            _keep(draw, made, condition.get(branch, {}), schema, document)
    return made


def _keep(draw: st.DrawFn, made: Any, branch: Schema, schema: Schema, document: Schema) -> None:
    """Make what a branch asks for beyond its schema: members there, gone, or narrower."""
    narrower = branch.get("properties", {})
    for name in branch.get("required", ()):
        if name not in made:
            made[name] = draw(instances(schema["properties"][name], document))
    for name in narrower.keys() & made.keys():
        if narrower[name] is False:
            del made[name]
        else:
            member, home = resolve(schema["properties"][name], document)
            made[name] = draw(instances(member | narrower[name], home))


def _holds(condition: Schema, made: Any) -> bool:
    return jsonschema.Draft202012Validator(condition).is_valid(made)


_MAKERS: dict[str, Callable[[Schema, Schema], st.SearchStrategy[Any]]] = {
    "string": _strings,
    "integer": _integers,
    "array": _arrays,
    "object": lambda schema, document: _objects(schema, document),
}


@st.composite
def spoilt(draw: st.DrawFn, valid: st.SearchStrategy[Any], canary: str) -> Any:
    """A valid value changed in one place: perhaps still valid, mostly not."""
    value = draw(valid)
    places = list(_places(value))
    holder, key = draw(st.sampled_from(places))
    draw(st.sampled_from(_CHANGES))(holder, key, canary)
    return value


def near_misses(valid: Any, canary: str) -> Iterator[Any]:
    """Every change in every place of a valid value, one at a time."""
    for number, _place in enumerate(_places(valid)):
        for change in _CHANGES:
            value = copy.deepcopy(valid)
            holder, key = list(_places(value))[number]
            change(holder, key, canary)
            yield value


def _places(value: Any) -> Any:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        yield value, key
        if isinstance(member, dict | list):
            yield from _places(member)


def _replace(made: Callable[[Any, str], Any]) -> Callable[[Any, Any, str], None]:
    def change(holder: Any, key: Any, canary: str) -> None:
        holder[key] = made(holder[key], canary)

    return change


def _remove(holder: Any, key: Any, _canary: str) -> None:
    del holder[key]


def _add(holder: Any, _key: Any, canary: str) -> None:
    if isinstance(holder, dict):
        holder[canary] = canary
    else:
        holder.append(canary)


def _add_inside(holder: Any, key: Any, canary: str) -> None:
    holder[key] = {canary: {canary: [canary]}}


def _repeat(holder: Any, key: Any, _canary: str) -> None:
    if isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = [holder[key]] * 40


_CHANGES: list[Callable[[Any, Any, str], None]] = [
    _remove,
    _add,
    _add_inside,
    _repeat,
    _replace(lambda _old, canary: canary),
    _replace(lambda _old, _canary: None),
    _replace(lambda _old, _canary: 0),
    _replace(lambda _old, _canary: True),
    _replace(lambda _old, _canary: []),
    _replace(lambda _old, _canary: {}),
    _replace(lambda _old, _canary: ""),
    _replace(lambda _old, _canary: "unknown"),
    _replace(lambda old, canary: f"{old}{canary}"),
    _replace(lambda old, _canary: str(old).upper()),
    _replace(lambda old, _canary: str(old)[:-1]),
    _replace(lambda old, _canary: f"{old}\n"),  # what `$` lets pass in some engines
    _replace(lambda old, _canary: f"{old}٣"),  # a digit that is not of [0-9]
    _replace(lambda _old, _canary: "x" * 5000),
]
