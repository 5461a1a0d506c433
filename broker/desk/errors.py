"""What the desk says when something cannot be done: a code for programs, a sentence for people.

A sentence tells what happened, that nothing is lost, and who does what next. This file refuses
to know values: a detail is an organisation's id, a file the user named, a count; never a word
of a case. The web desk translates by `code` and `details`; the command line prints `str(error)`.

    raise DeskError("unknown_organisation", org=to)
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Final

from broker.service.failures import Failure
from contracts.errors import ContractError
from contracts.safety import Finding
from contracts.sentences import SENTENCES as SAFETY_SENTENCES


class DeskError(Failure):
    """The desk refuses or could not do what it was asked; nothing was changed or queued.

    `code` is a key of `SENTENCES`; `details` are the words that its sentence leaves open.
    """

    def __init__(self, code: str, **details: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        return sentence(self.code, **self.details)


def from_contract(error: ContractError) -> DeskError:
    """A rule of the agreement that was broken, as the desk's own sentence where it has one."""
    if error.code in SENTENCES and not _open_words(error.code) - {"field"}:
        return DeskError(error.code, field=error.field)
    return DeskError("rule_broken", rule=error.code.replace("_", " "), field=error.field or "it")


def from_finding(finding: Finding) -> DeskError:
    """A safety rule that is not kept, in its own sentence."""
    return DeskError(finding.code, field=field_words(finding.field))


def field_words(field: str) -> str:
    """A declared member's name for people."""
    return field.strip("/").replace("_", " ").replace("/", ", ") or "it"


def sentence(code: str, **details: str | int) -> str:
    """The sentence of a code; an unknown code (a newer hub's) still makes one."""
    text = SENTENCES.get(code)
    if text is None or _open_words(code) - details.keys():
        return f"This was refused ({code.replace('_', ' ')}). Nothing was lost; ask your operator."
    return text.format_map(details)


# By code. What is in braces is given as details.
SENTENCES: Final[Mapping[str, str]] = {
    # keys and passphrases
    "not_handed_over": "The command did not handle {count} of the received messages. They are kept "
    "and will be handed over again.",
    "no_command": "The command given to --exec cannot be started. What was received is kept and "
    "will be handed over later; correct the command.",
    "unknown_kind": "The kind of an organisation is one of: {kinds}. Nothing was made.",
    "unknown_country": "A country is given as two lower-case letters, such as my or bd. Nothing "
    "was made.",
    "no_desk": "There is no desk in {home} yet. Run `rujukan init` first.",
    "desk_exists": "There is already a desk in {home}; its keys were left untouched. "
    "Use another RUJUKAN_HOME for a second desk.",
    "key_file_open_to_others": "Other people on this computer may read {path}, so it was not "
    "used. Run `chmod 600 {path}` and try again. Some sticks cannot keep that: copy the file to a "
    "folder of your own, run it there, and delete the copy afterwards.",
    "key_file_unreadable": "{path} is not a key file that this version understands. It was left "
    "as it is; restore it from where you keep it, or ask your operator.",
    "key_file_exists": "{path} is there already and was left untouched. Name another file.",
    "key_file_folder": "{path} cannot be written: its folder is missing or not yours. "
    "Nothing was made; plug in the stick or name another file.",
    "wrong_passphrase": "This passphrase does not open {path} (or the file is damaged). "
    "Nothing was changed; try again.",
    "no_passphrase": "There is no terminal to ask for the passphrase. Set "
    "RUJUKAN_PASSPHRASE_FILE to a file that holds it.",
    "passphrase_file_unreadable": "RUJUKAN_PASSPHRASE_FILE names a file that cannot be read as "
    "text. Nothing was opened; correct it.",
    "passphrases_differ": "The two passphrases differ. Nothing was made; try again.",
    "passphrase_short": "The passphrase is too short: it needs at least {least} characters. "
    "Four or five unrelated words do well.",
    "passphrase_weak": "This passphrase is too easy to guess. Four or five unrelated words do "
    "well.",
    "other_network": "These keys belong to the network {net}, the root file to {other}. "
    "Nothing was sent; set RUJUKAN_ROOT_FILE to the right one.",
    "archive_damaged": "A record in the desk's database cannot be opened: it was changed from "
    "outside or belongs to other keys. Nothing was overwritten; restore the folder.",
    "passphrase_changed": "The passphrase of this desk was changed meanwhile. Nothing is lost; end "
    "this program and open the desk with the new one.",
    "secret_file_missing": "There is no file {path}. Plug in the stick, or name the file where it "
    "is. Nothing was done.",
    "other_kind_of_key": "{path} holds a {found} key, and a {wanted} key is needed. Nothing was "
    "done.",
    "key_of_another": "{path} holds a key of {org}, not of the organisation in question. Nothing "
    "was done.",
    "paper_unreadable": "This is not the text of a key's paper: something was left out or "
    "mistyped. Nothing was made; read it group by group and try again.",
    "chain_taken": "Your organisation has said something else in the network's log meanwhile, or "
    "its last word is not yet witnessed. Nothing was done. Try again in a few minutes; a draft or "
    "a request that waited for signatures has to be begun anew.",
    "statement_refused": "The network's log does not take this: a rule forbids it ({rule}). "
    "Nothing was changed.",
    "not_witnessed_yet": "This was published and waits for the network's witnesses to see it. "
    "Nothing is left to do; it takes some minutes.",
    "perhaps_published": "The line broke before the directory answered, so this may stand in the "
    "network's log. Keep every file that was made, above all a new root key. Wait a few minutes "
    "and look with `rujukan keys` before you do it again.",
    "admission_missing": "The file {path} that `rujukan init` made is missing or damaged, so this "
    "desk cannot ask to be admitted. Nothing was sent; copy it back from where you sent it.",
    "desk_of_another": "The desk in {home} belongs to {org}. Its keys were left untouched; use "
    "another RUJUKAN_HOME for another organisation.",
    "already_in_force": "This device is already in the network's log. Nothing was made.",
    "not_a_request": "{path} is not a request of a new device. Nothing was signed.",
    "not_a_draft": "{path} is not a draft that can be signed so. Nothing was signed.",
    "not_a_public_key": "{path} is not the public file of a recovery key of your organisation. "
    "Nothing was changed.",
    "request_outdated": "Your organisation has said something else in the log since {path} was "
    "made, so it fits no more. Nothing was signed. Make it anew where it was made; that takes a "
    "minute and keeps its keys.",
    "wrong_stick": "{path} is not the root key of {org} that is in force today. Nothing was "
    "signed.",
    "not_an_admin": "Only a desk with the role admin can do this, and this one is none. Nothing "
    "was done; ask your administrator, or use two recovery keys.",
    "no_such_device": "Your organisation has no device that begins with {device}. Nothing was "
    "done; `rujukan keys` lists them.",
    "recovery_count": "Recovery keys are two or three, or none at all: one alone could never act. "
    "Nothing was changed.",
    "no_recovery": "{org} has no recovery keys in the log, so nothing can be recovered with them. "
    "Phone a coordinator: the organisation has to be admitted anew.",
    "not_a_recovery_key": "{path} is not one of the recovery keys of {org} that are in force. "
    "Nothing was signed.",
    "signatures_missing": "This draft lacks a signature that it needs. Nothing was published; "
    "carry it to the next holder.",
    "not_frozen": "Your organisation is not frozen. Nothing was done.",
    "not_answered_yes": "You did not type yes, so nothing was done.",
    "yes_needed": "A program says that it is sure with --yes. Nothing was done.",
    "not_a_time": "A time is given as 2026-05-31 or 2026-05-31T14:30, in UTC, and is not in the "
    "future. Nothing was done.",
    "not_a_message_id": "A message is named by its number, 32 digits and letters, as `rujukan "
    "show` gives it. Nothing was asked.",
    "file_unwritable": "{path} cannot be written: it is there already, or its folder is missing or "
    "not yours. Nothing was published; name another file.",
    "busy": "Another Rujukan process is changing the keys of this desk. Try again in a minute.",
    # who can be written to
    "unknown_organisation": "{org} is not an organisation of this network, as far as its log "
    "says. Nothing was queued; look it up with `rujukan find`.",
    "cannot_receive_yet": "{org} cannot receive yet: it has no desk with keys valid today. "
    "Nothing was queued; phone them instead.",
    "ourselves": "{org} is your own organisation. Nothing was queued.",
    "no_route": "No signed agreement carries referrals between {ours} and {theirs}. Nothing was "
    "queued; a coordinator can tell you about the route.",
    "route_not_for_state": "The agreement between {ours} and {theirs} is proposed and not signed: "
    "civil organisations may refer to one another, state bodies not yet. Nothing was queued; a "
    "coordinator can tell you about the route.",
    "route_suspended": "New referrals between {ours} and {theirs} are suspended; running cases "
    "go on. Nothing was queued; phone them or your coordinator.",
    "stale_mirror": "The directory has not been reached for {hours} hours, so nobody's keys can "
    "be trusted today. Nothing was queued; get online and try again.",
    "stale_mirror_pinned": "The directory has not been reached for {days} days. A freeze could "
    "have been missed, so only warnings leave this desk, to organisations you already work with. "
    "Nothing was queued. Phone them, compare the digits, and mark them with: rujukan keys checked; "
    "then it can be sent for seven days. Tell the directory's operator.",
    "old_mirror": "The directory has given nothing new for {hours} hours. Messages still go to "
    "organisations you already work with; somebody could have been frozen meanwhile, so phone them "
    "before you send what is dangerous in wrong hands.",
    "we_are_frozen": "Your organisation is frozen in the network's log: nothing it sends is taken "
    "anywhere. Nothing was queued and nothing is lost here. Call your coordinator on a number you "
    "already know.",
    "they_are_frozen": "{org} is frozen in the network's log: their computers may be in wrong "
    "hands. Nothing was queued. Call them on a number you already know, and your coordinator.",
    "no_longer_vouched_for": "No two coordinators have vouched for {org} within the last year, so "
    "no new referral goes there. Running cases go on. Ask your coordinator to look at them again.",
    "hard_stop": "The directory shows a history that does not fit what this desk has seen "
    "before. Nothing is sent or fetched until somebody has looked into it; `rujukan log` in a "
    "terminal says why, whom to phone, and what to do then.",
    "not_admitted": "Your organisation is not in the network's log yet: two coordinators of "
    "different countries have to vouch for it. Send them the admission file and read them the "
    "digits on the phone; until then nothing can be sent.",
    "device_not_in_force": "This desk's own key is not in force in the network's log. Nothing "
    "was sent; ask your organisation's administrator.",
    # what is sent
    "no_keys": "{org} cannot receive yet: it has no desk with keys valid today. "
    "Nothing was queued; phone them instead.",
    "not_json": "This is not JSON that can be read unambiguously. Nothing was queued; "
    "`rujukan send --example` prints a complete one to edit.",
    "schema": "The referral breaks the agreed form: {problems}. Nothing was queued; correct it "
    "and try again.",
    "too_large": "This is larger than an envelope may be. Nothing was queued; shorten the note.",
    "rule_broken": "A rule of the network forbids this ({rule}, in {field}). Nothing was queued.",
    # cases
    "no_case": "There is no case {ref} on this desk. `rujukan inbox` lists them.",
    "ambiguous": "There are several cases {ref}: name the organisation too, as in {hint}.",
    "illegal_transition": "This case is {state}: it cannot be answered so. Nothing was sent; "
    "possible now: {allowed}.",
    "wrong_author": "Only the other organisation can say this in this case ({move}). Nothing was "
    "sent.",
    "wrong_author_lead": "Only the organisation that leads this case can say this, and that is the "
    "other one ({move}). Nothing was sent; phone them.",
    "consent_not_standing": "The consent for this case has run out. Nothing was sent. Ask the "
    "person again and send the updated consent first.",
    "identity_not_released": "Name and contact have not been released in this case, and a journey "
    "comes after that. Nothing was sent.",
    "journey_not_planned": "No journey has been planned in this case. Nothing was sent.",
    "lead_not_offered": "The lead has not been offered to you. Nothing was sent; ask the referrer "
    "to offer it.",
    "erasure_not_asked": "Nobody has asked your organisation to erase this. Nothing was sent.",
    "erasure_asked_of_both": "The other organisation has yet to confirm its own erasure. Nothing "
    "was sent.",
    "outcome_awaited": "The person agreed that the outcome is told, and it has not been. Nothing "
    "was sent. Wait for it, or cancel.",
    "not_said_in_a_case": "{type} is not said within a case. Nothing was sent.",
    "not_said_apart": "{type} is said within a case only. Nothing was sent; give the case's six "
    "characters.",
    "concern_to_itself": "{org} is the organisation that this concern is about. Nothing was sent; "
    "send it to a coordinator of another country.",
    "claimed_by_colleague": "A colleague's desk has claimed this case. Nothing was sent; talk to "
    "them, or have them give it back.",
    "version_unsupported": "{org} has a desk that reads an older version of these messages only. "
    "Nothing was queued; phone them, and ask them to update.",
    "void": "This has no effect: it crossed with another message or came out of turn. Both desks "
    "know; nothing is lost.",
    "cause_missing": "An earlier message that this one follows has not arrived. It was asked for; "
    "phone them if it does not come.",
    "consent_ran_out": "The person's consent ran out before anybody took this up. It has ended; "
    "ask the person again and send anew.",
    "corridor_unmet": "Something that the two countries ask for is not there yet: {unmet}. Nothing "
    "was sent. See to it, then confirm what only a person can know; `rujukan send --check` lists "
    "all of it.",
    "not_said_again": "This tells of the person, and the consent for it no longer stands or the "
    "case has ended. Nothing was sent.",
    "no_message": "There is no message of ours with this number in this case.",
    # answers of the hub about one envelope
    "not_an_organisation_id": "An organisation is named by its id, such as "
    "my-0123456789abcdef. `rujukan find` shows it.",
    "hub_no_route": "The hub carries nothing between these two countries. It was not sent; a "
    "coordinator can tell you about the route.",
    "hub_too_large": "The hub refused this as too large. It was not sent; shorten the note and "
    "send anew.",
    "hub_recipient_has_no_keys": "Their desk has no keys valid today any more, so this could not "
    "be sealed again for it. It was not sent; phone them.",
    "hub_unknown_recipient": "The hub does not know this organisation. It was not sent; phone "
    "them, and tell your operator.",
    "hub_duplicate_conflict": "The hub already holds another envelope under this number, which "
    "should never happen. Nothing was overwritten; tell your operator.",
    "root_file_unreadable": "The root file {path} cannot be read. Nothing was changed; correct "
    "RUJUKAN_ROOT_FILE.",
    "no_hub": "The root file names no hub, so nothing can be sent. Ask your coordinator for a "
    "newer one.",
    "hub_unreachable": "The hub cannot be reached. What is to be sent is kept and goes out later.",
    "hub_not_itself": "What answered in the hub's place is not the hub of the root file. Nothing "
    "was handed over; what is to be sent is kept. Tell your operator.",
    "hub_refuses": "The hub does not do what this desk asks of it ({rule}). Nothing is lost; tell "
    "your operator.",
    "login_refused": "The hub does not let this desk in ({rule}). What is to be sent is kept; ask "
    "your operator.",
    "directory_unreachable": "The directory cannot be reached. Nothing is lost; try again later.",
    "directory_refused": "The directory refused this ({rule}). Nothing was changed.",
    "directory_unreadable": "The directory's answer could not be read. Nothing is lost; tell its "
    "operator.",
    "undeliverable": "The hub could not deliver this. It was not shown to anyone; phone them.",
    "peer_undecryptable": "Their desk could not open this. Phone them, then send anew.",
    "peer_not_for_me": "Their desk says that this was not for it. Phone them.",
    "peer_time": "Their desk refused this as too late or too early: a clock is wrong. Phone them.",
    "peer_contract_unknown": "Their desk does not know this kind of message yet. Phone them.",
    "peer_schema": "Their desk could not read what is in this. Phone them, and tell your operator.",
    "peer_version_unsupported": "Their desk runs an older version that cannot read this. Phone "
    "them.",
    "peer_consent": "Their desk refused this, because its consent does not name them or has "
    "expired. Ask the person again.",
    "peer_duplicate_conflict": "Their desk already holds something else under this number. Phone "
    "them, and tell your operator.",
    "expired": "This was not delivered in time and will not be any more. Phone them, or send anew.",
    "consent_expired": "The consent ran out before this could be sent, so it was not. Ask the "
    "person again and send anew.",
    # safety rules, in the agreement's own sentences
    **SAFETY_SENTENCES,
}


def _open_words(code: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name}
