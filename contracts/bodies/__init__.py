"""What people tell each other in a referral, as frozen types, one for each object of the schemas.

The schemas decide what is legal; this package only gives it names, one module a subject. It prints
nothing: the repr of every body is its type's name, because bodies are plaintext and objects end in
logs and tracebacks. A field that a person did not answer holds an `Unsaid`; `NOT_ASKED` is what an
absent member means. Everything is imported from here.
"""

from typing import TypeAlias

from contracts.bodies.answers import (
    FirstContact,
    InfoProvided,
    InfoRequested,
    MeetingPlace,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralDeclined,
    ReferralStatus,
    Told,
)
from contracts.bodies.apart import (
    CapacityQuery,
    CapacityReply,
    ConcernReported,
    Heads,
    InterpreterBooking,
    MessageProblem,
    OrgEvent,
    ProblemDetail,
    Receipt,
    ResendRequest,
)
from contracts.bodies.closing import (
    LeadOffered,
    LeadTaken,
    ReferralCancelled,
    ReferralClosed,
    ReferralOutcome,
    SaidByPerson,
)
from contracts.bodies.identity import (
    Channel,
    CodeWords,
    Contact,
    District,
    Document,
    IdentityReleased,
    Name,
    NotToContact,
    SafetyAlert,
)
from contracts.bodies.journey import (
    DutyNumbers,
    ExitPermission,
    IfNobodyThere,
    JourneyChanged,
    JourneyMet,
    JourneyNotMet,
    JourneyPlanned,
    MetBy,
    Stop,
    TravelDocument,
)
from contracts.bodies.parts import (
    NOT_ASKED,
    Answer,
    Answers,
    MaybeDay,
    Note,
    Quiet,
    Window,
)
from contracts.bodies.permission import (
    Basis,
    Consent,
    ConsentUpdated,
    ConsentWithdrawn,
    ErasedPlace,
    ErasureConfirmed,
    ErasureRequested,
    Hold,
)
from contracts.bodies.request import (
    Caller,
    Concern,
    Decision,
    Guardian,
    Handling,
    Interpreter,
    Legal,
    Linked,
    Person,
    Preferences,
    ReferralRequested,
    Representative,
    Return,
    RiskAssessment,
    Safety,
    Service,
    SupportAtInterview,
    Where,
    WhereNow,
    WhereWanted,
)

__all__ = [
    "NOT_ASKED",
    "Answer",
    "Answers",
    "Basis",
    "Body",
    "Caller",
    "CapacityQuery",
    "CapacityReply",
    "Channel",
    "CodeWords",
    "Concern",
    "ConcernReported",
    "Consent",
    "ConsentUpdated",
    "ConsentWithdrawn",
    "Contact",
    "Decision",
    "District",
    "Document",
    "DutyNumbers",
    "ErasedPlace",
    "ErasureConfirmed",
    "ErasureRequested",
    "ExitPermission",
    "FirstContact",
    "Guardian",
    "Handling",
    "Heads",
    "Hold",
    "IdentityReleased",
    "IfNobodyThere",
    "InfoProvided",
    "InfoRequested",
    "Interpreter",
    "InterpreterBooking",
    "JourneyChanged",
    "JourneyMet",
    "JourneyNotMet",
    "JourneyPlanned",
    "LeadOffered",
    "LeadTaken",
    "Legal",
    "Linked",
    "MaybeDay",
    "MeetingPlace",
    "MessageProblem",
    "MetBy",
    "Name",
    "NotToContact",
    "Note",
    "OrgEvent",
    "Person",
    "Preferences",
    "ProblemDetail",
    "Quiet",
    "Receipt",
    "ReferralAccepted",
    "ReferralAcknowledged",
    "ReferralCancelled",
    "ReferralClosed",
    "ReferralDeclined",
    "ReferralOutcome",
    "ReferralRequested",
    "ReferralStatus",
    "Representative",
    "ResendRequest",
    "Return",
    "RiskAssessment",
    "Safety",
    "SafetyAlert",
    "SaidByPerson",
    "Service",
    "Stop",
    "SupportAtInterview",
    "Told",
    "TravelDocument",
    "Where",
    "WhereNow",
    "WhereWanted",
    "Window",
]

Body: TypeAlias = (
    CapacityQuery
    | CapacityReply
    | ConcernReported
    | ConsentUpdated
    | ConsentWithdrawn
    | ErasureConfirmed
    | ErasureRequested
    | IdentityReleased
    | InfoProvided
    | InfoRequested
    | JourneyChanged
    | JourneyMet
    | JourneyNotMet
    | JourneyPlanned
    | LeadOffered
    | LeadTaken
    | MessageProblem
    | OrgEvent
    | ReferralAccepted
    | ReferralAcknowledged
    | ReferralCancelled
    | ReferralClosed
    | ReferralDeclined
    | ReferralOutcome
    | ReferralRequested
    | ReferralStatus
    | ResendRequest
    | SafetyAlert
)
