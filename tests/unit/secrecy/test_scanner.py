"""The secrecy test's own scanner: what it must see, what it must not, and what it must not say."""

from __future__ import annotations

import base64
import gzip
import html
import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_from_bytes, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.secrecy import places
from tests.secrecy.forms import base64_fragments, needles_of
from tests.secrecy.scanner import Piece, Place, Scanner, Secret, Unread

# Without "&" and quotes: what those become in HTML is another word, which nobody could search.
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789কখগচছজঝটঠডঢ𑄇မာ一"
MARKS: Final = st.text(LETTERS, min_size=12, max_size=40)
AROUND: Final = st.text(max_size=20)
BYTES_AROUND: Final = st.binary(max_size=20)

TEXT_ENCODINGS: Final[dict[str, Callable[[str], bytes]]] = {
    "utf-8": str.encode,
    "utf-16-le": lambda text: text.encode("utf-16-le", "replace"),
    "utf-16-be": lambda text: text.encode("utf-16-be", "replace"),
    "json": lambda text: json.dumps(text).encode(),
    "json, readable": lambda text: json.dumps(text, ensure_ascii=False).encode(),
    "url": lambda text: quote(text).encode(),
    "form": lambda text: quote_plus(text).encode(),
    "html": lambda text: html.escape(text).encode(),
    "xml references": lambda text: text.encode("ascii", "xmlcharrefreplace"),
    "escaped by a stream": lambda text: text.encode("ascii", "backslashreplace"),
    "repr": lambda text: ascii(text.encode()).encode(),
}
BYTE_ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "as they are": lambda data: data,
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "base64": base64.b64encode,
    "url-safe base64": base64.urlsafe_b64encode,
    "base64 twice": lambda data: base64.b64encode(base64.b64encode(data)),
    "url": lambda data: quote_from_bytes(data).encode(),
    "repr": lambda data: repr(data).encode(),
    "numbers": lambda data: repr(list(data)).encode(),
    "Erlang": lambda data: f"<<{','.join(map(str, data))}>>".encode(),
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "gzip in zlib": lambda data: zlib.compress(gzip.compress(data)),
    "upper case": bytes.upper,
}


def found(secret: str | bytes, data: bytes) -> bool:
    return bool(Scanner([Secret("it", "group", secret)]).search(data))


@given(mark=MARKS, before=AROUND, after=AROUND, encoding=st.sampled_from(sorted(TEXT_ENCODINGS)))
def test_a_mark_in_a_text_is_found_however_the_text_was_encoded(
    mark: str, before: str, after: str, encoding: str
) -> None:
    assert found(mark, TEXT_ENCODINGS[encoding](before + mark + after))


@given(
    mark=MARKS,
    before=BYTES_AROUND,
    after=BYTES_AROUND,
    encoding=st.sampled_from(sorted(BYTE_ENCODINGS)),
)
def test_a_mark_among_bytes_is_found_however_they_were_encoded(
    mark: str, before: bytes, after: bytes, encoding: str
) -> None:
    assert found(mark, BYTE_ENCODINGS[encoding](before + mark.encode() + after))


@given(
    key=st.binary(min_size=32, max_size=32),
    before=BYTES_AROUND,
    after=BYTES_AROUND,
    encoding=st.sampled_from(["as they are", "hex", "HEX", "base64", "url-safe base64", "gzip"]),
)
def test_a_key_is_found_although_it_is_no_text(
    key: bytes, before: bytes, after: bytes, encoding: str
) -> None:
    scanner = Scanner([Secret("a key", "key", key, thorough=False)])
    assert scanner.search(BYTE_ENCODINGS[encoding](before + key + after))


@given(data=st.binary(min_size=6, max_size=64), before=BYTES_AROUND, after=BYTES_AROUND)
def test_one_fragment_of_base64_is_there_wherever_the_bytes_begin(
    data: bytes, before: bytes, after: bytes
) -> None:
    encoded = base64.b64encode(before + data + after)
    assert base64_fragments(data)[len(before) % 3] in encoded


@given(mark=MARKS, data=st.binary(max_size=4000))
def test_what_is_not_there_is_not_found(mark: str, data: bytes) -> None:
    assert not found(mark, data.replace(mark.encode(), b""))


@settings(max_examples=20)
@given(mark=MARKS, zeros=st.integers(0, 300), place=st.integers(0, 300))
def test_long_runs_of_zeros_hide_nothing(mark: str, zeros: int, place: int) -> None:
    data = mark.encode("utf-16-be").join((bytes(place), bytes(zeros)))
    assert found(mark, data)


def test_each_form_is_searched_once_and_none_is_so_short_that_chance_finds_it() -> None:
    needles = needles_of("kakatoe-0123")
    assert len({(one.data, one.folded) for one in needles}) == len(needles)
    with pytest.raises(ValueError, match="too short"):
        needles_of("short")


def test_neither_a_trace_nor_a_report_says_what_was_found(tmp_path: Path) -> None:
    mark = "walang-4711-sungsang"
    (tmp_path / f"x{mark}").write_bytes(f"before {mark} after".encode())
    scanner = Scanner([Secret("the note", "note", mark)])
    report = scanner.scan([places.folder("a folder", tmp_path)])
    assert report.at("a folder") == {("the note", "utf-8"), ("the note", "name, utf-8")}
    assert "the note" in str(report)
    for shown in (str(report), repr(report), repr(scanner), repr(report.traces)):
        assert mark not in shown
        assert "before" not in shown


def test_a_place_that_is_not_there_or_empty_is_a_failure(tmp_path: Path) -> None:
    scanner = Scanner([Secret("the note", "note", "walang-4711-sungsang")])
    for place in (
        places.folder("missing", tmp_path / "missing"),
        places.folder("empty", tmp_path),
        places.sqlite("no database", tmp_path),
        places.postgres("no server", "postgresql://127.0.0.1:1/none"),
        places.given("nothing collected", list),
    ):
        with pytest.raises(Unread):
            scanner.scan([place])


def test_a_damaged_database_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + bytes(4000))
    scanner = Scanner([Secret("the note", "note", "walang-4711-sungsang")])
    with pytest.raises(Unread):
        scanner.scan([places.sqlite("a database", tmp_path)])


def test_a_word_that_a_full_text_index_keeps_in_two_halves_is_found(tmp_path: Path) -> None:
    mark = "walangsangit4711"
    with closing(sqlite3.connect(tmp_path / "index.db")) as database:
        database.execute("CREATE VIRTUAL TABLE words USING fts5(word, content='')")
        for word in (mark[:12], mark, f"{mark}zzz"):
            database.execute("INSERT INTO words (word) VALUES (?)", (word,))
        database.execute("INSERT INTO words (words) VALUES ('optimize')")
        database.commit()
    scanner = Scanner([Secret("the note", "note", mark)])
    assert not scanner.scan([places.folder("raw", tmp_path)]).traces
    assert scanner.scan([places.sqlite("through SQL", tmp_path)]).traces


def test_each_copy_is_reported_where_it_is() -> None:
    piece = Piece("here", b"walang-4711-sungsang")
    scanner = Scanner([Secret("the note", "note", "walang-4711-sungsang")])
    report = scanner.scan([Place("one", lambda: [piece]), Place("two", lambda: [piece])])
    assert [one.place for one in report.traces] == ["one", "two"]
