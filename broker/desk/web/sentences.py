"""What could not be done, as a sentence in the reader's language.

Every refusal has a code; its English sentence is the key of its translation. Where that sentence
speaks of commands, the pages have one of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.desk.errors import SENTENCES, DeskError
from broker.desk.web.members import MEMBERS
from broker.mirror import DirectoryUnreachable, HardStop
from broker.service.language import current_language, gettext
from broker.service.language import lazy_gettext as _l
from contracts.errors import ContractError
from countries.names import country_name


def sentence_of(error: Exception) -> str:
    """The sentence of a refusal of ours."""
    if isinstance(error, DeskError):
        return sentence_of_code(error.code, **error.details)
    if isinstance(error, HardStop):
        return sentence_of_code("hard_stop")
    if isinstance(error, DirectoryUnreachable):
        return sentence_of_code("directory_unreachable")
    if isinstance(error, ContractError):
        return gettext("A rule of the network forbids this. Nothing was done.")
    return gettext("This was refused. Nothing was lost; ask your operator.")


def sentence_of_code(code: str, **details: str | int) -> str:
    """The sentence of a code; one that a newer hub made still makes one."""
    details = {name: _named(name, value) for name, value in details.items()}
    if code in OURS:
        return str(OURS[code]).format_map(details)
    if code in SENTENCES:
        return gettext(SENTENCES[code]).format_map(_Open(details))
    return gettext("This was refused. Nothing was lost; ask your operator.")


def _named(name: str, value: str | int) -> str | int:
    """Countries and members of a message by their names."""
    if name in ("ours", "theirs") and isinstance(value, str):
        return country_name(value, current_language())
    if name == "field" and isinstance(value, str):
        member = value.rpartition("/")[2].rpartition(", ")[2].replace(" ", "_")
        return str(_FIELDS.get(member, member.replace("_", " ")))
    return value


class _Open(dict[str, "str | int"]):
    """A word that nobody gave stays empty: a page must not fail for it."""

    def __missing__(self, _key: str) -> str:
        return ""


_FIELDS: Final[Mapping[str, object]] = {
    one.name.rpartition(".")[2]: one.label
    for members in reversed(tuple(MEMBERS.values()))
    for one in reversed(tuple(members.values()))
} | {"contact": _l("Ways to reach the person"), "meeting_place": _l("Meeting place")}

# Said in the terminal only, before there is a page, or about the computer's own files; English.
TERMINAL: Final = frozenset(
    {
        "already_in_force",
        "ambiguous",
        "desk_exists",
        "desk_of_another",
        "file_unwritable",
        "key_file_exists",
        "key_file_folder",
        "key_file_open_to_others",
        "key_file_unreadable",
        "key_of_another",
        "no_command",
        "no_desk",
        "no_hub",
        "no_message",
        "no_passphrase",
        "no_recovery",
        "not_a_draft",
        "not_a_message_id",
        "not_a_public_key",
        "not_a_recovery_key",
        "not_a_request",
        "not_a_time",
        "not_answered_yes",
        "not_frozen",
        "not_handed_over",
        "not_json",
        "not_said_apart",
        "not_said_in_a_case",
        "other_kind_of_key",
        "other_network",
        "paper_unreadable",
        "passphrase_file_unreadable",
        "passphrase_short",
        "passphrase_weak",
        "passphrases_differ",
        "perhaps_published",
        "recovery_count",
        "request_outdated",
        "root_file_unreadable",
        "secret_file_missing",
        "signatures_missing",
        "unknown_country",
        "unknown_kind",
        "wrong_stick",
        "yes_needed",
    }
)

OURS: Final[Mapping[str, object]] = {
    "wrong_passphrase": _l(
        "This passphrase does not open the desk. Nothing was changed; try again."
    ),
    "unknown_organisation": _l(
        "This organisation is not in the network's log. Nothing was queued; phone them instead."
    ),
    "cannot_receive_yet": _l(
        "This organisation cannot receive yet: it has no desk with keys valid today. Nothing was "
        "queued; phone them instead."
    ),
    "no_keys": _l(
        "This organisation cannot receive yet: it has no desk with keys valid today. Nothing was "
        "queued; phone them instead."
    ),
    "recipient_changed": _l(
        "The recipient's key is not the one that was shown. Nothing was queued; compare the digits "
        "again."
    ),
    "ourselves": _l("This is your own organisation. Nothing was queued."),
    "not_an_organisation_id": _l(
        "The listing names no organisation of this network. Nothing was queued; phone them instead."
    ),
    "schema": _l("Something in the form is missing or wrong. Nothing was queued."),
    "no_case": _l("There is no such case on this desk."),
    "illegal_transition": _l(
        "The case has changed meanwhile and cannot be answered so any more. Nothing was sent."
    ),
    "wrong_author": _l("Only the other organisation can say this in this case. Nothing was sent."),
    "wrong_author_lead": _l(
        "Only the organisation that leads this case can say this, and that is the other one. "
        "Nothing was sent; phone them."
    ),
    "version_unsupported": _l(
        "A desk of theirs reads an older version of these messages only. Nothing was queued; phone "
        "them, and ask them to update."
    ),
    "corridor_unmet": _l(
        "Something that the two countries ask for is not there yet. Nothing was sent. See to it, "
        "and tick below what only a person can know."
    ),
    "not_admitted": _l(
        "Your organisation is not in the network's log yet: two coordinators of different "
        "countries have to vouch for it. The Keys page shows what to read to them; until then "
        "nothing can be sent."
    ),
}
