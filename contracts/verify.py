"""The conformance kit: does a partner's code say, and read, what was agreed?

    report = verify_folder(folder)        # their envelopes and messages, read by this code
    report = verify_packaged()            # our vectors, read by this copy of the code
    report = verify_answers(text)         # what their reader said to our vectors

Every file gets one finding. Files may be anybody's: they are bounded, nothing outside the folder
is read, and a finding names an outcome, a place and a rule, never a value. It prints nothing;
`python -m contracts verify` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.encoding import JsonInput
from contracts.vectors.folders import Entry, printable, read_entry, read_folder
from contracts.vectors.judging import Verdict, judged, judged_json
from contracts.vectors.reading import UnknownHeader, parse

PACKAGED: Final = Path(__file__).parent / "vectors"
FOLDERS: Final = ("accept", "reject")
MAX_ANSWERS: Final = 20_000

NOT_A_VECTOR: Final = "not-a-vector"
UNREAD: Final = "not-read"
NO_ANSWER: Final = "no-answer"
UNKNOWN_NAME: Final = "unknown-name"


@dataclass(frozen=True, slots=True)
class Finding:
    """One file: what was expected of it ("" where nothing could be) and what came out."""

    name: str
    expect: str
    verdict: Verdict

    @property
    def ok(self) -> bool:
        """Whether it came out as expected, in every fact that it tells."""
        return self.verdict.outcome == self.expect and not self.verdict.differs

    def as_json(self) -> Mapping[str, JsonInput]:
        """For programs."""
        verdict = self.verdict
        return {
            "name": self.name,
            "ok": self.ok,
            "expect": self.expect,
            "outcome": verdict.outcome,
            "field": verdict.field,
            "rule": verdict.rule,
            "differs": verdict.differs,
        }

    def sentence(self) -> str:
        """For people: one line."""
        if self.ok:
            form_only = self.verdict.rule == "form only"
            return f"ok     {self.name}{' (its form only: nobody opened it)' if form_only else ''}"
        return f"WRONG  {self.name}: {self._complaint()}"

    def _complaint(self) -> str:
        verdict = self.verdict
        if verdict.outcome in _COMPLAINTS:
            return _COMPLAINTS[verdict.outcome].format(rule=_rule_in_words(verdict))
        where = f", at {verdict.field}" if verdict.field else ""
        which = f", rule {verdict.rule}" if verdict.rule else ""
        if verdict.outcome == self.expect:
            return f"{', '.join(verdict.differs)} came out otherwise than the file says{where}."
        return f"expected {self.expect}, found {verdict.outcome}{where}{which}."


_COMPLAINTS: Final[Mapping[str, str]] = {
    NOT_A_VECTOR: "this is no vector file ({rule}).",
    UNREAD: "this was not read ({rule}).",
    NO_ANSWER: "there is no answer for this vector.",
    UNKNOWN_NAME: "there is an answer, but no vector of this name.",
}


def _rule_in_words(verdict: Verdict) -> str:
    where = f", header line {verdict.field}" if verdict.field else ""
    return f"{verdict.rule.replace('_', ' ')}{where}"


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, in order of name."""

    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What did not come out as expected."""
        return tuple(finding for finding in self.findings if not finding.ok)

    @property
    def ok(self) -> bool:
        """Whether all came out as expected; of nothing, nothing can be said."""
        return bool(self.findings) and not self.wrong

    def summary(self) -> str:
        """One sentence."""
        if not self.findings:
            return "There is no .txt and no .json file to check here."
        if self.ok:
            return f"{len(self.findings)} checked, all as expected."
        return f"{len(self.findings)} checked, {len(self.wrong)} not as expected."

    def as_json(self) -> Mapping[str, JsonInput]:
        """For programs."""
        return {
            "ok": self.ok,
            "checked": len(self.findings),
            "wrong": len(self.wrong),
            "files": [finding.as_json() for finding in self.findings],
        }


def verify_folder(folder: Path) -> Report:
    """Every vector (`.txt`) and bare message, receipt or envelope (`.json`) below `folder`."""
    return Report(tuple(_finding(entry) for entry in read_folder(folder)))


def verify_packaged() -> Report:
    """Every vector that came with this copy of the code."""
    return Report(tuple(_finding(entry) for entry in _packaged()))


def verify_answers(text: bytes) -> Report:
    """What another reader said to the packaged vectors: lines `accept/some-name.txt ok`.

    Empty lines and lines that begin with # are passed over. Every vector must have its answer.
    """
    expected = {entry.name: parse(entry.data).expect for entry in _packaged()}
    findings = list(_answered(text, expected))
    unanswered = expected.keys() - {finding.name for finding in findings}
    findings += (Finding(name, expected[name], Verdict(NO_ANSWER)) for name in unanswered)
    return Report(tuple(sorted(findings, key=lambda finding: finding.name)))


def packaged_paths() -> list[Path]:
    """The files of the packaged vectors."""
    return sorted(path for folder in FOLDERS for path in (PACKAGED / folder).glob("*.txt"))


def _packaged() -> Iterator[Entry]:
    for path in packaged_paths():
        yield read_entry(path, path.relative_to(PACKAGED).as_posix())


def _answered(text: bytes, expected: Mapping[str, str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for line in _lines(text):
        words = line.split()
        name = printable(words[0].removeprefix("./"))
        outcome = printable(words[1]) if len(words) == 2 else ""
        if name not in expected:
            yield Finding(name, "", Verdict(UNKNOWN_NAME))
        elif name in seen:
            yield Finding(name, "", Verdict(UNREAD, rule="answered_twice"))
        else:
            yield Finding(name, expected[name], Verdict(outcome or "nothing"))
        seen.add(name)


def _lines(text: bytes) -> Iterable[str]:
    lines = text.decode("utf-8", errors="replace").splitlines()[:MAX_ANSWERS]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _finding(entry: Entry) -> Finding:
    if entry.fault:
        return Finding(entry.name, "", Verdict(UNREAD, rule=entry.fault))
    if entry.name.endswith(".json"):
        return Finding(entry.name, "ok", judged_json(entry.data))
    try:
        vector = parse(entry.data)
        return Finding(entry.name, printable(vector.expect), judged(vector))
    except UnknownHeader as fault:
        return Finding(entry.name, "", Verdict(NOT_A_VECTOR, fault.line, fault.rule))
