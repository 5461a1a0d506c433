"""The marked words of one journey, and as which secrets they are searched for afterwards.

Each is random, so that finding one anywhere proves where it came from.
"""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, field
from typing import Final

from tests.secrecy.scanner import Secret

# Letters that Unicode neither composes nor takes apart, and no mark alone.
_BANGLA: Final = "অআইউএওকখগঘচছজঝটঠডঢণতথদধনপফবভমযরলশষসহ"
# No vowels: no word of any text is among them.
_LATIN: Final = "bcdfghjklmnpqrstvwx"


def bangla_mark() -> str:
    """Random letters of a script outside ASCII."""
    return "".join(random.choices(_BANGLA, k=12))


def ascii_mark() -> str:
    """Random letters, fit for every field that takes a label; digits would look like a number."""
    return f"Q{''.join(random.choices(_LATIN, k=18))}z"


def number_mark() -> str:
    """Random digits after a prefix that no network dials."""
    return f"000{secrets.randbelow(10**13):013d}"


@dataclass(frozen=True, slots=True)
class Marks:
    """What is searched for afterwards; see `secrets` for what each is."""

    note: str = field(default_factory=ascii_mark, repr=False)
    note_foreign: str = field(default_factory=bangla_mark, repr=False)
    label: str = field(default_factory=ascii_mark, repr=False)
    stray: str = field(default_factory=ascii_mark, repr=False)
    stray_foreign: str = field(default_factory=bangla_mark, repr=False)
    knock: str = field(default_factory=ascii_mark, repr=False)
    knock_foreign: str = field(default_factory=bangla_mark, repr=False)
    wanted: str = field(default_factory=ascii_mark, repr=False)
    wanted_foreign: str = field(default_factory=bangla_mark, repr=False)
    name: str = field(default_factory=bangla_mark, repr=False)
    known_as: str = field(default_factory=ascii_mark, repr=False)
    number: str = field(default_factory=number_mark, repr=False)
    place: str = field(default_factory=ascii_mark, repr=False)
    code_word: str = field(default_factory=ascii_mark, repr=False)
    consent: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    wrong_passphrase: str = field(default_factory=lambda: f"fig {ascii_mark()}", repr=False)
    passphrases: tuple[str, str] = field(
        default_factory=lambda: (f"quartz {ascii_mark()}", f"meadow {bangla_mark()}"), repr=False
    )

    sticks: tuple[str, str, str] = field(
        default_factory=lambda: (
            f"harbour {ascii_mark()}",
            f"cedar {bangla_mark()}",
            f"saffron {ascii_mark()}",
        ),
        repr=False,
    )

    def secrets(self) -> list[Secret]:
        """What the test knows before anything runs."""
        ours, theirs = self.passphrases
        coordinator, other, recovery = self.sticks
        return [
            Secret("the note", "note", self.note),
            Secret("the note in Bangla", "note", self.note_foreign),
            Secret("a label", "label", self.label),
            Secret("a misplaced text", "stray", self.stray),
            Secret("a misplaced text in Bangla", "stray", self.stray_foreign),
            Secret("a stranger's text", "knock", self.knock),
            Secret("a stranger's text in Bangla", "knock", self.knock_foreign),
            Secret("the name", "identity", self.name),
            Secret("the name she goes by", "identity", self.known_as),
            Secret("her number", "identity", self.number),
            Secret("a place", "identity", self.place),
            Secret("a code word", "identity", self.code_word),
            Secret("a search", "search", self.wanted),
            Secret("a search in Bangla", "search", self.wanted_foreign),
            Secret("the consent's number", "id", self.consent, thorough=False),
            Secret("a wrong passphrase", "key", self.wrong_passphrase),
            Secret("a passphrase", "key", ours),
            Secret("the other passphrase", "key", theirs),
            Secret("a coordinator's passphrase", "key", coordinator),
            Secret("the other coordinator's passphrase", "key", other),
            Secret("the recovery keys' passphrase", "key", recovery),
        ]
