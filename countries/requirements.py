"""What can be asked for before a referral is sent: each requirement, and who sees to it.

A table and the shapes round it; when a requirement applies stands in `countries.corridor`. The
sentences are the source of the translations, so that they hold no values; which country or law is
meant stands in a requirement's source. The codes are stable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from countries.facts import Confidence


class Weight(StrEnum):
    """Blocking: nothing is sent before it is met. Look at: somebody weighs it, and may send."""

    BLOCKING = "blocking"
    LOOK_AT = "look_at"


@dataclass(frozen=True, slots=True)
class Source:
    """The law or guidance behind a requirement, the country whose it is, and how sure we are.

    `country` is None where it is the agreement's own rule and holds everywhere. `title` is empty
    where the pack has an age or a duty without a law's name.
    """

    title: str
    country: str | None
    confidence: Confidence
    verified_on: date | None = None

    @property
    def to_be_confirmed(self) -> bool:
        """Whether it is shown as "to be confirmed by the coordinator"."""
        return self.confidence is not Confidence.A


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that must be there, or be thought of, before sending. `who` is of `STAFF_ROLES`.

    `met`: the referral shows it, or somebody has confirmed it. Only what is `confirmable` can be
    confirmed; the rest is seen in the referral and changes only with it.
    """

    code: str
    who: str
    weight: Weight
    met: bool
    confirmable: bool
    sentence: str
    source: Source


@dataclass(frozen=True, slots=True)
class Wording:
    """What is fixed about a requirement: who sees to it, whether a person confirms it, its text."""

    who: str
    confirmable: bool
    sentence: str


# The agreement's own rules are certain as what they are: rules, read where they were written.
OWN_RULES: Final = Source("Safety rules of this agreement", None, Confidence.A)

WORDINGS: Final[Mapping[str, Wording]] = MappingProxyType(
    {
        "asylum_advice_first": Wording(
            "legal_adviser",
            True,
            "The person fears the state or seeks protection: asylum advice comes first, before "
            "anything is sent.",
        ),
        "no_feared_state_body": Wording(
            "caseworker",
            False,
            "The person fears the state or seeks protection: nothing goes to a state body or a "
            "mission of that country. Choose another organisation.",
        ),
        "receiver_may_be_state": Wording(
            "caseworker",
            True,
            "The person fears the state or seeks protection: find out whether this organisation "
            "belongs to the state before anything is sent.",
        ),
        "fear_told_to_state": Wording(
            "caseworker",
            True,
            "The referral tells whom the person fears, and the organisation is or may be a state "
            "body: leave that part out unless the person wants it told.",
        ),
        "route_open": Wording(
            "coordinator",
            False,
            "The route between the two countries is signed, or it is proposed and the receiving "
            "organisation is not a state body.",
        ),
        "consent_or_basis": Wording(
            "caseworker",
            False,
            "The referral holds a consent for exactly this organisation, or a legal basis with "
            "its reason.",
        ),
        "silence_is_not_consent": Wording(
            "caseworker",
            True,
            "Silence is not consent: the person has said or written yes to this sending.",
        ),
        "under_14_sensitive": Wording(
            "child_protection_worker",
            True,
            "The person may be under 14, and the law treats such data as sensitive: look at every "
            "field that is told.",
        ),
        "no_data_law": Wording(
            "caseworker",
            True,
            "No data protection law is enacted there: the person knows that the agreement alone "
            "protects what is sent.",
        ),
        "given_in_custody": Wording(
            "caseworker",
            True,
            "The person is not known to be free to leave: somebody independent of the holder "
            "confirms the consent, or both desks show it as given in custody.",
        ),
        "separate_consent": Wording(
            "caseworker",
            True,
            "The receiver is an enforcement body or a court: the person consents to it "
            "separately, apart from any other service.",
        ),
        "own_wish_to_return": Wording(
            "caseworker",
            False,
            "A referral for return needs the person's own wish, recorded after a risk assessment.",
        ),
        "guardian_status": Wording(
            "child_protection_worker",
            False,
            "The person counts as a minor in one of the two countries: the referral says who the "
            "guardian is, or that there is none.",
        ),
        "best_interest": Wording(
            "child_protection_worker",
            False,
            "The person counts as a minor in one of the two countries: the best interest is "
            "assessed or determined.",
        ),
        "child_competent_receiver": Wording(
            "child_protection_worker",
            True,
            "The person counts as a minor in one of the two countries: the receiving organisation "
            "is competent for children.",
        ),
        "guardian_not_told": Wording(
            "child_protection_worker",
            True,
            "The guardian is suspected of harm: nobody tells the guardian, and another person "
            "stands beside the child.",
        ),
        "may_be_under_majority": Wording(
            "caseworker",
            True,
            "The person may be under the age of majority of one of the countries: ask for the age "
            "before a guardian's part is ruled out.",
        ),
        "transfer_dossier": Wording(
            "coordinator",
            True,
            "Data about a person cross the border: the country's law asks for a dossier on the "
            "effect of the transfer.",
        ),
        "localisation_notice": Wording(
            "coordinator",
            True,
            "Data about a person cross the border: the country's law asks for a notice about where "
            "data are kept.",
        ),
        "interpreter": Wording(
            "caseworker",
            True,
            "An interpreter is needed, or the person shares no language with the receiving "
            "country: book one who is safe for the person.",
        ),
        "working_language": Wording(
            "caseworker",
            True,
            "The two countries share no language in use: agree with the receiver on the language "
            "of notes and calls.",
        ),
        "recorded_hotline": Wording(
            "caseworker",
            True,
            "Calls to this public hotline are recorded: the person knows it before the number is "
            "given out.",
        ),
        "complaint_passed_to_police": Wording(
            "caseworker",
            True,
            "Complaints to this public hotline are passed to the police: the person knows it "
            "before the number is given out.",
        ),
    }
)


def requirement(
    code: str, weight: Weight, *, source: Source = OWN_RULES, met: bool = False
) -> Requirement:
    """The requirement of this code, in its fixed words."""
    wording = WORDINGS[code]
    return Requirement(
        code=code,
        who=wording.who,
        weight=weight,
        met=met,
        confirmable=wording.confirmable,
        sentence=wording.sentence,
        source=source,
    )
