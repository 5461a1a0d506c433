"""What each finding of the safety rules says to a person: what happened, and who does what next.

Keys are the codes of `contracts.safety` and `contracts.texts`. A sentence leaves open no word but
{field}, a declared member's name, so that no value of a case can ever stand in one.
"""

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "consent": "The person's consent does not cover this ({field}). Nothing was sent. Ask the "
    "person again, record the new consent, and send once more.",
    "second_person_open": "Sent on a legal basis decided by one person alone on shift. A second "
    "person must confirm it within 24 hours; both desks show it as open until then.",
    "second_person_missing": "A legal duty or a vital interest is decided by two persons. Nothing "
    "was sent. Add the second person's role, or say that you are alone on shift.",
    "feedback_not_covered": "The person did not agree that this is told back ({field}). Nothing "
    "was sent. Leave it out, or ask the referrer to obtain a wider consent.",
    "place_to_state_body": "A state body is told no place but a public handover point. Nothing was "
    "sent. Choose a public handover point, or leave the place out.",
    "identity_not_in_consent": "The consent does not cover name and contact. Nothing was sent. Ask "
    "the person, send the updated consent, then release the identity.",
    "contact_stopped": "Somebody has warned that contact is not safe. Nothing was sent. Leave the "
    "contact out and agree with the other organisation how to go on.",
    "contact_not_opted_in": "The person did not opt in to this way of contact ({field}). Nothing "
    "was sent. Leave it out, or ask the person first.",
    "text_repeats_identity": "The text repeats something of the person's identity. Nothing was "
    "sent. Take it out: names and contacts travel on their own, after acceptance.",
    "text_has_number": "The text holds what looks like a telephone, document or account number. "
    "Nothing was sent. Take it out: such numbers travel on their own, after acceptance.",
    "text_has_address": "The text holds what looks like an e-mail or web address. Nothing was "
    "sent. Take it out: contacts travel on their own, after acceptance.",
    "return_without_own_wish": "A return is asked for without the person's own wish. Nothing was "
    "sent. Ask the person, explain the alternatives, and record the answer.",
    "return_without_risk": "A return is asked for without a risk assessment. Nothing was sent. "
    "Make one first, then ask the person again.",
    "wish_before_risk": "The wish to return was recorded before the risk was assessed. Nothing was "
    "sent. Tell the person what was found, ask again, and record the new consent.",
    "feared_state": "The person fears this state or seeks protection from it, and the receiver is "
    "a body of it. Nothing was sent. Seek asylum advice first, from a civil organisation.",
    "given_in_custody": "The person was not free to leave when consenting, and nobody independent "
    "has confirmed it. Both desks show: given in custody.",
    "guardian_not_asked": "The person may be under age in one of the two countries, and nothing is "
    "said about a guardian. Nothing was sent. Record the guardian's status; tell the guardian "
    "nothing yet.",
    "best_interest_not_asked": "The person may be a child, and nothing is said about the best "
    "interest. Nothing was sent. Record how far its assessment has come.",
    "does_not_take_children": "This service does not take children. Nothing was sent. Choose one "
    "that does, or ask the coordinator.",
    "children_not_known": "It is not known whether this service takes children. Nothing was sent. "
    "Ask it by telephone without naming anybody, or choose one that says so.",
    "journey_not_in_consent": "The consent does not cover the journey. Nothing was sent. Ask the "
    "person, send the updated consent, then tell the plan.",
    "guardian_in_harm": "The guardian is suspected of having done harm, and this brings them in "
    "({field}). Nothing was sent. Go on without them: ask for another guardian to be appointed.",
    "journey_against_wish": "The plan brings in somebody whom the person must be kept from or "
    "fears ({field}). Ask the person again before anybody leaves, and change the plan if in doubt.",
    "receiver_not_to_be_contacted": "The person said never to contact this kind of receiver. "
    "Nothing was sent. Choose another one, or ask the person again.",
    "child_consent_alone": "A child consented and no guardian with them. Both desks show it; agree "
    "with the other organisation who may consent before anything but assessment and safety.",
    "child_does_not_agree": "The child does not agree. Nothing was sent. Talk to the child again; "
    "a danger to life is told on a legal basis of its own.",
    "return_on_a_basis": "A return is asked for without consent. Nothing was sent: nobody is "
    "returned on a legal basis. Ask the person, and record the consent.",
    "alternatives_not_explained": "A return is asked for, and it is not recorded that the "
    "alternatives were explained. Explain them before the person goes.",
    "card_not_known": "This service has not said what follows from going there: police report, "
    "freedom to leave, cost. Ask it before the person goes.",
    "card_not_read_out": "What follows from going there has changed or was not read out. Nothing "
    "was sent. Read the service's present card to the person and record the consent again.",
    "separate_consent_needed": "Police and courts need a consent of their own, given for legal "
    "help. Nothing was sent. Ask the person about this receiver and record it.",
    "may_point_to_one_person": "These answers together may point to one person. Leave out what the "
    "receiver does not need in order to decide.",
}
