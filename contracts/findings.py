"""A safety rule that is not kept: what the rules hand back, and whom they ask about.

    for finding in check_request(...):
        finding.weight, finding.code

Nothing here quotes what was written: a finding has codes and a declared member's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from contracts.codes import ORG_KINDS, STATE_KINDS
from contracts.identifiers import OrgId


class Weight(StrEnum):
    """What a finding does. `REFUSE`: it is not sent. `MARK`: both desks show it. `ASK`: a
    caseworker is asked to look again and may go on."""

    REFUSE = "refuse"
    MARK = "mark"
    ASK = "ask"


class Rule(StrEnum):
    """The rules, by the names under which the documentation explains them."""

    CONSENT = "consent"
    NO_OVERRIDE = "no_override"
    FEEDBACK = "feedback"
    TWO_STEPS = "two_steps"
    SAFE_CONTACT = "safe_contact"
    NO_RETURN_BY_DEFAULT = "no_return_by_default"
    CUSTODY = "custody"
    MINORS = "minors"
    CONSEQUENCE_CARD = "consequence_card"
    NON_PUNISHMENT = "non_punishment"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is not kept. `code` is a key of `SENTENCES`; `field` a declared name or ""."""

    rule: Rule
    code: str
    field: str = ""
    weight: Weight = Weight.REFUSE


@dataclass(frozen=True, slots=True)
class Receiver:
    """What is known of the organisation and service asked. None: the directory does not say.

    `kind` is of `ORG_KINDS`; `card_version` that of the service's published consequence card.
    """

    org: OrgId
    kind: str
    takes_children: bool | None = None
    card_version: str | None = None


def may_be_state(kind: str) -> bool:
    """Whether it is a state body's kind, or one that nobody knows."""
    return kind in STATE_KINDS or kind not in ORG_KINDS


def listed(answer: Iterable[str]) -> frozenset[str]:
    """What was listed in an answer; nothing where there is a reason for none instead."""
    return frozenset() if isinstance(answer, str) else frozenset(answer)
