"""Turns checked JSON into frozen types and back, by the types' own annotations.

It expects JSON that a schema has already found valid, and looks only at what a pattern cannot
see: whether a time or a day is in the calendar. A trailing underscore in a field's name keeps it
apart from a Python keyword and is not in the JSON. A member equal to its default is left out:
absent and default mean the same.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from contracts.codes import Unsaid
from contracts.encoding import JsonInput, JsonObject, JsonValue
from contracts.errors import Malformed
from contracts.times import Day, Utc, parse_day, unix_seconds

T = TypeVar("T")
Reader = Callable[[Any, str], Any]


def from_json(kind: type[T], value: JsonObject) -> T:
    """The object of type `kind`. Raises `Malformed("bad_time" | "bad_date", field)`."""
    plain: type = kind  # mypy does not see that `type[T]` is hashable
    made: T = _object_reader(plain)(value, "")
    return made


def to_json(value: object) -> dict[str, JsonInput]:
    """The JSON object, members in the order of the fields, defaults left out."""
    members: dict[str, JsonInput] = {}
    for spec in fields(value):  # type: ignore[arg-type]  # only dataclasses are handed in
        member = getattr(value, spec.name)
        if member != _default(spec):
            members[json_name(spec)] = _json(member)
    return members


def json_name(spec: Field[Any]) -> str:
    """The member's name in JSON."""
    return spec.name.rstrip("_")


def _json(value: Any) -> JsonInput:
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _default(spec: Field[Any]) -> object:
    if spec.default_factory is not MISSING:
        return spec.default_factory()
    return spec.default


@cache
def _object_reader(kind: type) -> Reader:
    hints = get_type_hints(kind)
    readers = {json_name(spec): (spec.name, _reader(hints[spec.name])) for spec in fields(kind)}

    def read(value: dict[str, JsonValue], _field: str) -> object:
        given: dict[str, object] = {}
        for name, member in value.items():
            if name not in readers:  # the schemas are closed: only our own mistake leads here
                raise Malformed("unknown_member")
            own_name, reader = readers[name]
            given[own_name] = reader(member, name)
        return kind(**given)

    return read


def _reader(hint: Any) -> Reader:
    if hint in _LEAVES:
        return _LEAVES[hint]
    if is_dataclass(hint) and isinstance(hint, type):
        return _object_reader(hint)
    if get_origin(hint) is tuple:
        return _list_reader(_reader(get_args(hint)[0]))
    if get_origin(hint) in (Union, UnionType):
        return _union_reader(get_args(hint))
    return _as_it_is


def _union_reader(choices: tuple[Any, ...]) -> Reader:
    if Unsaid in choices:  # an answer, or the reason why there is none
        (said,) = (_reader(choice) for choice in choices if choice is not Unsaid)
        return lambda value, field: Unsaid(value) if value in _UNSAID else said(value, field)
    (present,) = (choice for choice in choices if choice is not NoneType)
    return _reader(present)


def _list_reader(item: Reader) -> Reader:
    return lambda value, field: tuple(item(entry, field) for entry in value)


def _time(value: str, field: str) -> Utc:
    unix_seconds(value, field=field)
    return Utc(value)


def _day(value: str, field: str) -> Day:
    return parse_day(value, field=field)


def _as_it_is(value: Any, _field: str) -> Any:
    return value


_UNSAID: Final = tuple(Unsaid)  # a tuple: a list is asked for too, and is not hashable
_LEAVES: Final[dict[Any, Reader]] = {Utc: _time, Day: _day}
