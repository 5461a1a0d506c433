"""`python -m countries check [--json]`: how complete the packs are, how sure; do their cases hold?

Ends with 0 when every pack is well-formed and every case holds, else with 1. Facts that are
missing or below confidence A are reported and are no reason to fail: nobody is to be tempted to
raise a letter.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby

from countries.cases import Outcome, run_cases
from countries.completeness import Report, Unsure, report
from countries.packs import COUNTRIES, load_packs
from countries.reading import BadCountryData, Fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        reports = _reports(datetime.now(UTC).year)
    except BadCountryData as error:
        sys.stdout.write(_dumped(_faults(error.faults)) if options.json else f"{error}\n")
        return 1
    sys.stdout.write(_dumped(_as_json(reports)) if options.json else _as_text(reports))
    return 0 if all(each.holds for each in reports) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m countries", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    check = commands.add_parser("check", help="completeness, confidence and cases of every pack")
    check.add_argument("--json", action="store_true", help="for programs")
    return parser


def _reports(year: int) -> list[Report]:
    """All reports; every fault of every file is gathered before it raises."""
    packs = load_packs()
    outcomes: dict[str, tuple[Outcome, ...]] = {}
    faults: list[Fault] = []
    for country in COUNTRIES:
        try:
            outcomes[country] = run_cases(country)
        except BadCountryData as error:
            faults += error.faults
    if faults:
        raise BadCountryData(faults)
    return [report(packs[code], outcomes[code], year=year) for code in COUNTRIES]


def _as_text(reports: Iterable[Report]) -> str:
    return "\n".join(line for each in reports for line in _lines(each)) + "\n"


def _lines(each: Report) -> list[str]:
    facts = ", ".join(f"{name} {count}" for name, count in each.counts.items() if count)
    return [
        f"{each.name} ({each.country})",
        f"  has      {facts}",
        f"  lacks    {'; '.join(each.missing) or 'nothing that is asked for'}",
        *_unsure_lines(each.unsure),
        f"  estimate {each.estimated_holidays} of {each.counts['holidays']} holidays",
        *_case_lines(each.outcomes),
        "",
    ]


def _unsure_lines(unsure: Iterable[Unsure]) -> list[str]:
    return [
        f"  confirm  {section}: " + "; ".join(f"{fact.what} [{fact.confidence}]" for fact in facts)
        for section, facts in groupby(unsure, key=lambda fact: fact.section)
    ]


def _case_lines(outcomes: Sequence[Outcome]) -> list[str]:
    failed = [outcome for outcome in outcomes if not outcome.holds]
    return [
        f"  cases    {len(outcomes) - len(failed)} of {len(outcomes)} hold",
        *(
            f"  FAILS    {case.path} ({case.about}): expected {case.expected}, found {case.found}"
            for case in failed
        ),
    ]


def _as_json(reports: Iterable[Report]) -> object:
    return {"countries": [asdict(each) | {"holds": each.holds} for each in reports]}


def _faults(faults: Iterable[Fault]) -> object:
    return {"faults": [asdict(fault) for fault in faults]}


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


if __name__ == "__main__":
    sys.exit(main())
