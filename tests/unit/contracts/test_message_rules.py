"""What would harm somebody is refused by the schemas alone: one change of an example, one place."""

from typing import Any

import pytest

from contracts.encoding import JsonObject
from contracts.examples import example_body
from contracts.messages import problems_in_body, read_body, render_body

CANARY = "zq7canary7qz"


def first_problem(message_type: str, body: JsonObject) -> str:
    """The place of the first broken rule."""
    return problems_in_body(message_type, body)[0].instance_path


class Gone:
    """Stands for a member that is taken away."""


GONE = Gone()


def changed(message_type: str, path: tuple[str | int, ...], value: Any) -> JsonObject:
    """The example's body with one place changed, or taken away."""
    body = example_body(message_type)
    holder: Any = body
    for name in path[:-1]:
        holder = holder[name]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return body


# "service, urgency, where now, where wanted, age band, languages, one need, contact mode, consent"
NINE = [
    ("to", "service_id"),
    ("urgency",),
    ("where", "now"),
    ("where", "wants"),
    ("person", "age_band"),
    ("person", "languages"),
    ("needs",),
    ("safety", "contact_mode"),
    ("consent",),
]


@pytest.mark.parametrize("path", NINE)
def test_a_request_without_one_of_the_nine(path: tuple[str, ...]) -> None:
    body = changed("referral.requested", path, GONE)
    assert first_problem("referral.requested", body) == "/" + "/".join(path)


def test_a_request_that_says_only_the_nine() -> None:
    body = example_body("referral.requested")
    consent: Any = body["consent"]
    least: JsonObject = {
        "urgency": "normal_14d",
        "to": body["to"],
        "where": {"now": {"country": "my", "setting": "not_said"}, "wants": {"country": "bd"}},
        "person": {"age_band": "believed_adult", "languages": ["ben"]},
        "safety": {"contact_mode": "none"},
        "needs": ["shelter"],
        "consent": consent,
    }
    assert render_body(read_body("referral.requested", least)) == least


BASIS: JsonObject = {
    "ground": "vital_interest",
    "code": "life_at_risk",
    "recipients": ["bd-0123456789abcdef"],
    "fields": ["where", "person", "safety", "needs"],
    "decided_by": "duty_officer",
    "decided_at": "2026-11-20T02:30:00Z",
    "expires_at": "2026-11-27T02:30:00Z",
    "alone_on_shift": "yes",
}
TWO = BASIS | {"second_person": "coordinator", "alone_on_shift": "no"}


@pytest.mark.parametrize("message_type", ["referral.requested", "consent.updated"])
@pytest.mark.parametrize("basis", [BASIS, TWO])
def test_a_basis_stands_instead_of_consent_and_never_beside_it(
    message_type: str, basis: JsonObject
) -> None:
    both = example_body(message_type) | {"basis": basis}
    assert [problem.instance_path for problem in problems_in_body(message_type, both)] == [
        "/consent"
    ]
    del both["consent"]
    assert render_body(read_body(message_type, both))["basis"] == {
        name: value for name, value in basis.items() if value != "no"
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"alone_on_shift": "no"}, "/basis/alone_on_shift"),
        ({"alone_on_shift": GONE}, "/basis/alone_on_shift"),
        ({"alone_on_shift": "not_asked"}, "/basis/alone_on_shift"),
        ({"code": "other"}, "/basis/code"),
        ({"expires_at": GONE}, "/basis/expires_at"),
        ({"recipients": ["bd-0123456789abcdef", "my-0123456789abcdef"]}, "/basis/recipients"),
        ({"fields": []}, "/basis/fields"),
    ],
)
def test_a_basis_used_as_an_override(change: dict[str, Any], field: str) -> None:
    basis: Any = {name: value for name, value in (BASIS | change).items() if value is not GONE}
    assert problems_in_body("consent.updated", {"basis": basis})[0].instance_path == field


DIRECTLY: JsonObject = {"mode": "direct", "channels": [{"kind": "messenger", "value": "000"}]}
# What would harm somebody and what the schema alone can hold: the example, one change, the place.
HARMFUL: list[tuple[str, tuple[str | int, ...], Any, str]] = [
    ("referral.declined", ("next_step",), GONE, "/next_step"),
    ("referral.declined", ("reason",), "other", "/note"),
    ("referral.cancelled", ("note",), GONE, "/note"),
    ("referral.outcome", ("outcome",), "other", "/note"),
    ("referral.info_provided", ("note",), GONE, "/note"),
    ("referral.accepted", ("meeting_place", "kind"), "told_by_phone", "/meeting_place/text"),
    ("identity.released", ("contact",), DIRECTLY | {"mode": "none"}, "/contact/channels"),
    ("identity.released", ("contact",), DIRECTLY | {"mode": "via_referrer"}, "/contact/channels"),
    ("identity.released", ("contact",), DIRECTLY | {"channels": []}, "/contact/channels"),
    ("identity.released", ("contact",), {"mode": "direct"}, "/contact/channels"),
    ("identity.released", ("name", "full"), "DEMO\u202a\nPerson", "/name/full"),
    ("erasure.confirmed", ("places", 1, "hold"), GONE, "/places/1/hold"),
    ("erasure.confirmed", ("places", 0, "hold"), {"ground": "other_law"}, "/places/0/hold"),
    ("erasure.confirmed", ("places", 2, "result"), "held", "/places/2/hold"),
    ("erasure.confirmed", ("places", 3, "on"), GONE, "/places/3/on"),
    ("consent.updated", ("consent", "onward_sharing"), True, "/consent/onward_sharing"),
    ("consent.updated", ("consent",), GONE, "/consent"),
    ("consent.withdrawn", ("reason",), "none_needed", ""),
    ("concern.reported", ("referral_ref",), "b" * 32, ""),
    ("capacity.query", ("headcount", 0, "name"), "x", "/headcount/0"),
    ("capacity.query", ("headcount", 0, "count"), 51, "/headcount/0/count"),
    ("journey.planned", ("if_nobody_there",), GONE, "/if_nobody_there"),
    ("journey.planned", ("met_by", "recognition_word"), GONE, "/met_by/recognition_word"),
    ("journey.planned", ("family_told",), "yes", "/family_told"),
    ("message.problem", ("problem", "value"), "x", "/problem"),
    ("message.problem", ("about",), GONE, ""),
    ("resend_request", ("ids",), ["a" * 32] * 2, "/ids"),
    ("org.event", ("kind",), "copied", "/kind"),
]


@pytest.mark.parametrize(("message_type", "path", "value", "field"), HARMFUL)
def test_what_would_harm_somebody(
    message_type: str, path: tuple[str | int, ...], value: Any, field: str
) -> None:
    body = changed(message_type, path, value)
    assert first_problem(message_type, body) == field


def test_only_a_contact_with_channels_needs_code_words() -> None:
    body = changed("identity.released", ("code_words",), GONE)
    assert first_problem("identity.released", body | {"contact": DIRECTLY}) == "/code_words"
    for mode in ("none", "via_referrer"):
        assert problems_in_body("identity.released", body | {"contact": {"mode": mode}}) == ()


def test_a_birthday_of_which_only_the_year_is_known() -> None:
    for known in ("1998", "1998-05", "1998-05-31", "unknown"):
        body = changed("identity.released", ("date_of_birth",), known)
        assert problems_in_body("identity.released", body) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("needs",), []),
        (("person", "languages"), []),
        (("person", "age_band"), "not_asked"),
        (("safety", "contact_mode"), "unknown"),
        (("where", "now", "region"), "MY-14-Kuala Lumpur"),
        (("consent", "recipients"), ["bd-0123456789abcdef", "my-0123456789abcdef"]),
        (("consent", "recipients"), []),
        (("consent", "onward_sharing"), True),
        (("safety", "channels"), ["call"]),
    ],
)
def test_a_request_that_leaves_what_must_be_said_open(path: tuple[str, ...], value: Any) -> None:
    body = changed("referral.requested", path, value)
    assert first_problem("referral.requested", body).startswith("/" + "/".join(path))


def test_channels_are_offered_only_where_direct_contact_was_chosen() -> None:
    body = example_body("referral.requested")
    body["safety"] = {"contact_mode": "direct", "channels": ["call"]}
    assert problems_in_body("referral.requested", body) == ()


@pytest.mark.parametrize("member", ["name", "phone", "address", "from_", "passport"])
def test_a_person_with_a_name_or_a_contact(member: str) -> None:
    body = example_body("referral.requested")
    holder: Any = body["person"]
    holder[member] = CANARY
    assert first_problem("referral.requested", body) == "/person"
