"""The search index: one derived SQLite file, the same whatever the main database is.

Made anew in whole from the listings when their generation number has moved, written beside its
place and renamed into it, so that a reader sees an old index or a new one and never half of one.
It can be deleted at any time. It holds public listings only and no query ever.

    build(path, documents, generation=7)
    index = Index(path)
    index.text_rows("name", '"shelter" *') & index.code_rows("country", "my")

Sets of services are whole numbers used as bitsets: bit n stands for row n, and rows are numbered
in the order in which services are shown when nothing else decides (freshest first). Counting a
facet is then one AND and one bit count.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from directory.search.labels import SHORTEST_TYPO
from directory.search.normaliser import index_text, name_key, words
from directory.search.spelling import deletions, within_one

# Moves with any change to the folding or to the file's layout: an older file is made anew.
VERSION: Final = 1
TEXT_FIELDS: Final = ("name", "organisation", "place", "about", "sound")
FACETS: Final = (
    "country",
    "service",
    "language",
    "population",
    "availability",
    "organisation_kind",
)
# How many neighbouring words of a name may be typed as one, or one as several.
JOINED: Final = 3
_LONGEST_TYPO: Final = 24
# Counted because SQLite's own default cuts words at vowel signs (category M).
_TOKENIZER: Final = "unicode61 remove_diacritics 2 categories 'L* N* Co M*'"


@dataclass(frozen=True, slots=True)
class Document:
    """What of one service can be found. `codes` maps each of `FACETS` to the service's codes."""

    service_id: str
    organisation_id: str
    last_modified: int
    names: tuple[str, ...]
    organisation_names: tuple[str, ...]
    places: tuple[str, ...]
    about: tuple[str, ...]
    codes: Mapping[str, Sequence[str]]


class Index:
    """A finished index file, open for reading; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        # The file is never written again, only replaced, so SQLite may skip all locking.
        self._uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._local = threading.local()
        about = dict(self._all("SELECT key, value FROM about"))
        if about["version"] != VERSION:
            raise sqlite3.DatabaseError("the index has another version")
        self.generation: int = about["generation"]
        self.size: int = about["size"]
        self.everything: int = (1 << self.size) - 1
        self._codes: dict[tuple[str, str], int] = {
            (facet, code): int.from_bytes(rows, "little")
            for facet, code, rows in self._all("SELECT facet, code, rows FROM code")
        }

    def code_rows(self, facet: str, code: str) -> int:
        """The services that have this code."""
        return self._codes.get((facet, code), 0)

    def counts(self, rows: int) -> dict[str, dict[str, int]]:
        """Per facet and code, how many of `rows` have it; codes that none has are left out."""
        found: dict[str, dict[str, int]] = {facet: {} for facet in FACETS}
        for (facet, code), having in self._codes.items():
            if count := (having & rows).bit_count():
                found[facet][code] = count
        return found

    def text_rows(self, field: str, expression: str) -> int:
        """The services one of whose texts matches an FTS5 expression made by this package."""
        query = "SELECT rowid FROM text WHERE text MATCH ?"
        return self._rows(query, f"{{{field}}} : {expression}")

    def has_text(self, expression: str) -> bool:
        """Whether any text of any service matches."""
        return bool(self._all("SELECT 1 FROM text WHERE text MATCH ? LIMIT 1", expression))

    def organisation_rows(self, organisation_id: str) -> int:
        """The services of one organisation, by its published UUID."""
        return self._rows("SELECT row FROM service WHERE organisation_id = ?", organisation_id)

    def modified_rows(self, since: int) -> int:
        """The services changed at or after a Unix time."""
        return self._rows("SELECT row FROM service WHERE last_modified >= ?", since)

    def near(self, word: str) -> list[str]:
        """The indexed Latin words one slip from a folded word."""
        forms = tuple(deletions(word))
        marks = ",".join("?" * len(forms))
        query = f"SELECT DISTINCT word FROM near WHERE form IN ({marks})"  # noqa: S608 - marks
        return sorted(known for (known,) in self._all(query, *forms) if within_one(word, known))

    def service_ids(self, rows: Sequence[int]) -> list[str]:
        """The published UUIDs of these rows, in their order."""
        query = "SELECT service_id FROM service WHERE row = ?"
        return [self._all(query, row)[0][0] for row in rows]

    def _rows(self, query: str, *parameters: object) -> int:
        return bitset((row for (row,) in self._all(query, *parameters)), self.size)

    def _all(self, query: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]  # rows of several shapes
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
            self._local.connection = connection
        return connection.execute(query, parameters).fetchall()


def bitset(rows: Iterable[int], size: int) -> int:
    """The set of these row numbers, all less than `size`."""
    octets = bytearray(size // 8 + 1)
    for row in rows:
        octets[row >> 3] |= 1 << (row & 7)
    return int.from_bytes(octets, "little")


def rows_of(bits: int) -> Iterator[int]:
    """The row numbers in a set, ascending."""
    first = 0
    for octet in bits.to_bytes((bits.bit_length() + 7) // 8, "little"):
        if octet:
            yield from (first + bit for bit in range(8) if octet >> bit & 1)
        first += 8


@contextmanager
def builder_lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the right to build the index at `path`; False where another process has it already."""
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def build(path: Path, documents: Sequence[Document], *, generation: int) -> None:
    """Write the index of `documents`, in the order in which they are to be shown, to `path`.

    Call it under `builder_lock`: there is one name for the file being written.
    """
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("BEGIN")
        _write(connection, documents, generation)
        connection.execute("COMMIT")
        connection.execute("INSERT INTO text(text) VALUES ('optimize')")
    unfinished.replace(path)


_SCHEMA: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE about (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE service (row INTEGER PRIMARY KEY, service_id TEXT NOT NULL,
    organisation_id TEXT NOT NULL, last_modified INTEGER NOT NULL);
CREATE INDEX service_by_organisation ON service (organisation_id);
CREATE INDEX service_by_time ON service (last_modified);
CREATE TABLE code (facet TEXT NOT NULL, code TEXT NOT NULL, rows BLOB NOT NULL);
CREATE TABLE near (form TEXT, word TEXT, PRIMARY KEY (form, word)) WITHOUT ROWID;
CREATE VIRTUAL TABLE text USING fts5({", ".join(TEXT_FIELDS)},
    content='', prefix='3 4', tokenize="{_TOKENIZER}");
"""


def _write(connection: sqlite3.Connection, documents: Sequence[Document], generation: int) -> None:
    about = {"version": VERSION, "generation": generation, "size": len(documents)}
    connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
    known: set[str] = set()
    for row, (document, texts) in enumerate(zip(documents, _texts(documents), strict=True)):
        known.update(word for text in texts[:-1] for word in text.split())
        connection.execute(
            "INSERT INTO service VALUES (?, ?, ?, ?)",
            (row, document.service_id, document.organisation_id, document.last_modified),
        )
        marks = ", ".join("?" * (len(texts) + 1))
        columns = ", ".join(("rowid", *TEXT_FIELDS))
        query = f"INSERT INTO text({columns}) VALUES ({marks})"  # noqa: S608 - our own names
        connection.execute(query, (row, *texts))
    connection.executemany("INSERT INTO code VALUES (?, ?, ?)", _codes(documents))
    near = ((form, word) for word in known if _may_be_mistyped(word) for form in deletions(word))
    connection.executemany("INSERT OR IGNORE INTO near VALUES (?, ?)", near)


def _texts(documents: Iterable[Document]) -> Iterator[tuple[str, ...]]:
    """Of each document, the folded texts in the order of `TEXT_FIELDS`.

    Places and organisations' names come again and again: each text is folded once.
    """
    folded, keyed = cache(index_text), cache(_name_keys)
    for document in documents:
        plain = (document.names, document.organisation_names, document.places, document.about)
        named = (*document.names, *document.organisation_names, *document.places)
        keys = " ".join(key for name in named for key in keyed(name))
        yield (*(" ".join(map(folded, texts)) for texts in plain), keys)


def _name_keys(name: str) -> list[str]:
    """The keys under which a name is found: of each word, and of neighbours written as one."""
    latin = [word.text for word in words(name) if word.text.isascii()]
    keys = set()
    for length in range(1, JOINED + 1):
        for i in range(len(latin) - length + 1):
            keys.add(name_key("".join(latin[i : i + length])))
    return sorted(keys - {""})


def _may_be_mistyped(word: str) -> bool:
    return word.isascii() and word.isalpha() and SHORTEST_TYPO <= len(word) <= _LONGEST_TYPO


def _codes(documents: Sequence[Document]) -> Iterator[tuple[str, str, bytes]]:
    rows: dict[tuple[str, str], bytearray] = {}
    octets = len(documents) // 8 + 1
    for row, document in enumerate(documents):
        for facet, codes in document.codes.items():
            for code in codes:
                having = rows.setdefault((facet, code), bytearray(octets))
                having[row >> 3] |= 1 << (row & 7)
    for (facet, code), having in sorted(rows.items()):
        yield facet, code, bytes(having)
