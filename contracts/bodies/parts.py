"""What bodies of several subjects are made of: quietness, answers, free text, safe windows."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from contracts.codes import Unsaid
from contracts.times import Day

Answer: TypeAlias = str  # a code of the list that the schema names, or one of `Unsaid`
Answers: TypeAlias = tuple[str, ...] | Unsaid
MaybeDay: TypeAlias = Day | Unsaid

NOT_ASKED: Final = Unsaid.NOT_ASKED


class Quiet:
    """Shows its type and nothing else, in repr, str and format alike."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True, repr=False)
class Note(Quiet):
    """Free text with its language (ISO 639-3), at most 4,000 characters."""

    text: str
    language: str


@dataclass(frozen=True, slots=True, repr=False)
class Window(Quiet):
    """When contact is safe, in local time of an IANA zone."""

    zone: str
    days: tuple[str, ...]
    from_: str
    to: str
