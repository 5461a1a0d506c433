"""Who the person is and how to reach them, after acceptance only; and the word never to do so.

Nothing here has a default that offers a contact, and none of it stands in a request.
"""

from dataclasses import dataclass

from contracts.bodies.parts import NOT_ASKED, Answer, Quiet, Window
from contracts.times import Utc


@dataclass(frozen=True, slots=True, repr=False)
class Name(Quiet):
    """As the person writes or says it; `script` is ISO 15924."""

    full: str
    known_as: str | None = None
    script: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Channel(Quiet):
    """One means that the person has opted in to, and its number or address."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Contact(Quiet):
    """How and when; only `direct` has channels and windows."""

    mode: str
    channels: tuple[Channel, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Document(Quiet):
    """A paper and who holds it, which is often the reason for asking for help."""

    kind: str
    held_by: Answer
    number: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class District(Quiet):
    """Where, below a country's first level."""

    region: str
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class CodeWords(Quiet):
    """What a caller says first and what the person answers if it is safe to talk."""

    caller_says: str
    person_answers: str


@dataclass(frozen=True, slots=True, repr=False)
class NotToContact(Quiet):
    """A person who must not learn of this, by role and name."""

    role: str
    name: str


@dataclass(frozen=True, slots=True, repr=False)
class IdentityReleased(Quiet):
    """The second step of disclosure. Any channel needs the code words."""

    name: Name
    contact: Contact | None = None
    documents: tuple[Document, ...] = ()
    district: District | None = None
    code_words: CodeWords | None = None
    do_not_contact: tuple[NotToContact, ...] = ()
    date_of_birth: Answer = NOT_ASKED  # a year, a month or a day: many know no more


@dataclass(frozen=True, slots=True, repr=False)
class SafetyAlert(Quiet):
    """Stop contacting by these means, from now on and without end."""

    means: tuple[str, ...]
    reason: str
    since: Utc | None = None
    instead: str = "none"
