"""Compiles translations: each `messages.po` under a folder to the `messages.mo` beside it.

    python -m broker.service.catalogues            # in a checkout: the folders of this project
    python -m broker.service.catalogues FOLDER ...

Building a wheel does the same to the copy that goes into the wheel: `BuildWithCatalogues` takes
the place of setuptools' step (named in pyproject.toml). The build loads this file by itself,
before anything of this project is installed, so it imports nothing of ours.

A translation that lost a placeholder of its original (`%(name)s`) would fail only when somebody
who reads that language opens the page, so it is refused here; a fuzzy one is left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from setuptools.command.build_py import build_py  # type: ignore[import-untyped]  # it has no types

__all__ = ["BuildWithCatalogues", "CatalogueError", "compile_catalogues"]

PACKAGES: Final = ("contracts", "countries", "directory", "broker")


class CatalogueError(Exception):
    """A catalogue cannot be compiled; the text says which line of which file and what is wrong.

    Its author is a translator or one of us: nothing in it is anybody's secret.
    """


class BuildWithCatalogues(build_py):  # type: ignore[misc]  # setuptools has no types
    """The build step that copies packages, followed by compiling the copied catalogues."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            compile_catalogues([Path(self.build_lib)])


def compile_catalogues(folders: Iterable[Path]) -> int:
    """Compile every catalogue under `folders` that is newer than its compiled form.

    Returns how many were written. Raises `CatalogueError`, and then has written no half file.
    """
    stale = [po for folder in folders for po in _catalogues(folder) if _is_stale(po)]
    for po in stale:
        _compile(po)
    return len(stale)


def _catalogues(folder: Path) -> Iterator[Path]:
    return (po for po in sorted(folder.rglob("messages.po")) if po.parent.name == "LC_MESSAGES")


def _is_stale(po: Path) -> bool:
    mo = po.with_suffix(".mo")
    return not mo.exists() or mo.stat().st_mtime_ns <= po.stat().st_mtime_ns


def _compile(po: Path) -> None:
    try:
        with po.open("rb") as source:
            catalogue = read_po(source, locale=po.parent.parent.name, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{po}: {error}") from None
    _refuse_broken(po, catalogue)
    # Written beside and moved: two processes compiling at once each leave a whole file.
    new = po.with_name(f".{po.stem}.{os.getpid()}.mo")
    with new.open("wb") as target:
        write_mo(target, catalogue)
    new.replace(po.with_suffix(".mo"))


def _refuse_broken(po: Path, catalogue: Catalog) -> None:
    faults = [
        f"{po}:{message.lineno}: {fault}"
        for message, errors in catalogue.check()
        if not message.fuzzy and any(_strings(message.string))
        for fault in errors
    ]
    if faults:
        raise CatalogueError("\n".join(faults))


def _strings(translated: object) -> tuple[object, ...]:
    return translated if isinstance(translated, tuple) else (translated,)


def main(arguments: list[str]) -> int:
    """Compile the named folders, or the packages under the current one; 1 if one is broken."""
    folders = [Path(name) for name in arguments or PACKAGES]
    try:
        compile_catalogues(folders)
    except CatalogueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
