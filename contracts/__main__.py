"""The kit's front door: `python -m contracts verify [DIR]`, `python -m contracts published`.

It reads arguments and prints; what is checked stands in `contracts.verify`. Exit code 0: all as
expected; 1: something is not; 2: it was asked wrongly.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from contracts.encoding import JsonInput
from contracts.vectors.folders import read_entry
from contracts.verify import Report, verify_answers, verify_folder, verify_packaged
from contracts.versions import published_now

FINE: Final = 0
NOT_AS_EXPECTED: Final = 1
ASKED_WRONGLY: Final = 2

_EPILOG: Final = """\
Without DIR, the vectors that came with this copy are checked. In DIR, *.txt are vectors (their
form is told in contracts/vectors/README.md) and *.json are bare messages, receipts or envelopes.
Use keys made for the test in vectors, never real ones.
Exit code: 0 all as expected, 1 something is not, 2 wrong usage."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return _published() if asked.command == "published" else _verify(asked)
    except BrokenPipeError:  # whoever read our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_AS_EXPECTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m contracts", description="What was agreed.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="check anyone's envelopes and messages, or the answers of another reader",
        description="Check anyone's envelopes and messages, or the answers of another reader.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = verify.add_mutually_exclusive_group()
    given.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="what to check")
    given.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="what your reader said to the packaged vectors, in lines such as: accept/name.txt ok",
    )
    verify.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("published", help="the hash of every published schema, as JSON")
    return parser


def _verify(asked: argparse.Namespace) -> int:
    if asked.answers is not None:
        entry = read_entry(asked.answers, "")
        if entry.fault:
            return _wrongly(f"The answers were not read ({entry.fault.replace('_', ' ')}).")
        report = verify_answers(entry.data)
    elif asked.folder is None:
        report = verify_packaged()
    elif asked.folder.is_dir():
        report = verify_folder(asked.folder)
    else:
        return _wrongly("DIR is no folder.")
    if not report.findings:
        return _wrongly(report.summary())
    _print_report(report, as_json=asked.json)
    return FINE if report.ok else NOT_AS_EXPECTED


def _wrongly(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return ASKED_WRONGLY


def _print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        _print_json(report.as_json())
        return
    for finding in report.findings:
        sys.stdout.write(f"{finding.sentence()}\n")
    sys.stdout.write(f"{report.summary()}\n")
    sys.stdout.flush()


def _published() -> int:
    _print_json(published_now())
    return FINE


def _print_json(value: JsonInput) -> None:
    sys.stdout.write(f"{json.dumps(value, indent=1)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
