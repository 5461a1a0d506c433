"""Settings: environment variables, read once at start, every problem reported at once.

A process declares what it needs as a frozen dataclass whose fields are made by `setting`:

    @dataclass(frozen=True, slots=True)
    class HubSettings:
        database_url: str = setting("RUJUKAN_DATABASE_URL", "where ...", parse=database_url)

    settings = read_settings(HubSettings, os.environ)

A variable `NAME` may also come from the file that `NAME_FILE` names (a secret should). There is
no switch that turns verification off: a URL is `https://`, or `http://` to a literal loopback
address. A problem names the variable and the rule; the value is never quoted, because the wrong
variable is where a secret ends up.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

from broker.service.addresses import NotUsable, amqp_url, database_url, web_url
from broker.service.failures import Failure

__all__ = [
    "REQUIRED",
    "NotUsable",
    "SettingsError",
    "amqp_url",
    "database_url",
    "existing_file",
    "folder",
    "level",
    "port",
    "read_settings",
    "setting",
    "settings_table",
    "text",
    "web_url",
    "whole_number",
]

T = TypeVar("T")

PREFIX: Final = "RUJUKAN_"


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


class SettingsError(Failure):
    """What is wrong with the settings, all of it; `problems` holds one sentence each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The settings cannot be used. Nothing was started.\n{lines}")


class _Declared(NamedTuple):
    """What `setting` was told."""

    name: str
    meaning: str
    parse: Callable[[str], Any]
    default: Any
    secret: bool

    @property
    def file_name(self) -> str | None:
        """The variable that may name a file instead; a setting that is a file has none."""
        return None if self.name.endswith("_FILE") else f"{self.name}_FILE"


_declared_names: Final[set[str]] = set()


def text(value: str) -> str:
    """Any text that is not empty."""
    return value


def setting(
    name: str,
    meaning: str,
    *,
    parse: Callable[[str], Any] = text,
    default: Any = REQUIRED,
    secret: bool = False,
) -> Any:
    """A field of a settings class, read from the environment variable `name`.

    `meaning` is the row in the table of settings. `default` is already parsed. A `secret` is left
    out of the repr of the settings.
    """
    if not name.startswith(PREFIX):
        raise ValueError(f"{name} does not start with {PREFIX}")
    declared = _Declared(name, meaning, parse, default, secret)
    _declared_names.update(_names(declared))
    value = dataclasses.MISSING if default is REQUIRED else default
    # `kw_only` lets a required setting follow an optional one.
    return dataclasses.field(
        default=value, repr=not secret, kw_only=True, metadata={"setting": declared}
    )


def read_settings(cls: type[T], environ: Mapping[str, str]) -> T:
    """The settings `cls` from `environ`, or `SettingsError` with every problem there is.

    An empty variable counts as not set: that is what an unset variable becomes in a compose file.
    """
    values: dict[str, object] = {}
    problems: list[str] = []
    declared = dict(_fields(cls))
    for attribute, one in declared.items():
        try:
            values[attribute] = _read(one, environ)
        except NotUsable as problem:
            problems.append(str(problem))
    problems.extend(_near_misses(declared.values(), environ))
    if problems:
        raise SettingsError(tuple(problems))
    return cls(**values)


def settings_table(*classes: type) -> str:
    """The table of all settings for the documentation, as Markdown.

    A class called `HubSettings` is read by "hub"; a setting of several classes has one row.
    """
    readers: dict[_Declared, list[str]] = {}
    for cls in classes:
        for _, one in _fields(cls):
            readers.setdefault(one, []).append(cls.__name__.removesuffix("Settings").lower())
    rows = [_row(one, who) for one, who in sorted(readers.items(), key=lambda item: item[0].name)]
    head = "| variable | read by | what it is | if not given |\n|---|---|---|---|\n"
    return head + "".join(rows)


# What a value may be. Each raises `NotUsable` with the end of the sentence "NAME ...".


def level(value: str) -> str:
    """A level of the log."""
    known = ("DEBUG", "INFO", "WARNING", "ERROR")
    if value.upper() not in known:
        raise NotUsable(f"must be one of {', '.join(known)}")
    return value.upper()


def port(value: str) -> int:
    """A TCP port, 1 to 65535."""
    return whole_number(1, 65535)(value)


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser for whole numbers from `lowest` to `highest`, both included."""

    def parse(value: str) -> int:
        # Longer than this no number of ours is, and int() reads "1_000" and Bangla digits too.
        plain = value.isascii() and value.isdecimal() and len(value) <= 18
        if not plain or not lowest <= int(value) <= highest:
            raise NotUsable(f"must be a whole number from {lowest} to {highest}")
        return int(value)

    return parse


def existing_file(value: str) -> Path:
    """A file that is there and may be read."""
    path = Path(value).expanduser()
    try:
        with path.open("rb"):
            return path.absolute()
    except OSError:
        raise NotUsable("must name a file that exists and that this user may read") from None


def folder(value: str) -> Path:
    """A folder; it need not exist yet, but nothing else may stand in its place."""
    path = Path(value).expanduser()
    if path.exists() and not path.is_dir():
        raise NotUsable("must name a folder, and something else has that name")
    return path.absolute()


def _fields(cls: type) -> Iterator[tuple[str, _Declared]]:
    for field in dataclasses.fields(cls):
        declared = field.metadata.get("setting")
        if declared is None:
            raise TypeError(f"{cls.__name__}.{field.name} was not made by setting()")
        yield field.name, cast("_Declared", declared)


def _names(declared: _Declared) -> tuple[str, ...]:
    return tuple(name for name in (declared.name, declared.file_name) if name is not None)


def _read(declared: _Declared, environ: Mapping[str, str]) -> object:
    value = _value(declared, environ)
    if value is None:
        if declared.default is REQUIRED:
            raise NotUsable(f"{declared.name} is not set: {declared.meaning}.")
        return declared.default
    try:
        return declared.parse(value)
    except NotUsable as rule:
        raise NotUsable(f"{declared.name} {rule}.") from None


def _value(declared: _Declared, environ: Mapping[str, str]) -> str | None:
    value = environ.get(declared.name) or None
    file_name = declared.file_name
    path = environ.get(file_name) if file_name is not None else None
    if not path:
        return value
    if value is not None:
        raise NotUsable(f"{declared.name} and {file_name} are both set: give one of them.")
    return _from_file(Path(path), f"{file_name}")


def _from_file(path: Path, name: str) -> str:
    try:
        value = path.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise NotUsable(f"{name} must name a text file that this user may read.") from None
    if not value:
        raise NotUsable(f"{name} names an empty file.")
    return value


def _near_misses(settings: Iterable[_Declared], environ: Mapping[str, str]) -> Iterator[str]:
    """A misspelt optional setting would otherwise be ignored in silence.

    Other unknown names are left alone: processes share one environment file.
    """
    ours = {name.removeprefix(PREFIX) for one in settings for name in _names(one)}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _declared_names:
            continue
        close = difflib.get_close_matches(name.removeprefix(PREFIX), ours, n=1, cutoff=0.85)
        if close and PREFIX + close[0] not in environ:
            yield f"{name} is not a setting; {PREFIX}{close[0]} is."


def _row(declared: _Declared, readers: list[str]) -> str:
    if declared.default is REQUIRED:
        default = "must be set"
    elif declared.default is None:
        default = "-"
    elif isinstance(declared.default, Path):
        # The document must read the same on whatever machine it was made.
        default = "a folder of the user's own, where the operating system keeps such"
    else:
        default = f"`{declared.default}`"
    secret = " (secret: better from a file)" if declared.secret else ""
    return (
        f"| `{declared.name}` | {', '.join(readers)} | {declared.meaning}{secret} | {default} |\n"
    )
