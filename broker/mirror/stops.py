"""Why a mirror does not answer, in sentences for the person who has to do something about it.

A hard stop is kept in the database and outlives a restart: somebody has shown this computer two
versions of the truth, and no program can tell which one is true. It names at most an
organisation's id; it knows no screen and no command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.service.failures import Failure
from contracts.identifiers import OrgId


@dataclass(frozen=True, slots=True)
class Stop:
    """What went wrong (`code`, a key of the table below) and with whom, if with one."""

    code: str
    org: OrgId | None = None


class DirectoryUnreachable(Failure):
    """The directory gave no usable answer. What was known before is still there."""

    def __init__(self, code: str = "unreachable") -> None:
        super().__init__(_UNREACHABLE[code])
        self.code = code


class CopyRefused(Failure):
    """A first copy from a file was not taken. What was known before is still there."""

    def __init__(self, code: str) -> None:
        super().__init__(_COPIES.get(code, _COPIES["damaged_copy"]))
        self.code = code if code in _COPIES else "damaged_copy"


class HardStop(Failure):
    """The log contradicts what this computer has seen. Nothing is sealed, accepted or opened."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(_STOPS[stop.code].format(org=stop.org or "an organisation"))
        self.stop = stop

    @property
    def code(self) -> str:
        """Which contradiction, for programs."""
        return self.stop.code

    @property
    def org(self) -> OrgId | None:
        """The organisation it is about, if it is about one."""
        return self.stop.org


_UNREACHABLE: Final = {
    "unreachable": "The directory cannot be reached. Nothing is lost: what waits here is kept and"
    " will be sent. Check this computer's connection, then try again.",
    "not_a_directory": "What answered in the directory's place is not a directory; some networks"
    " put a log-in page of their own there. Nothing is lost and nothing was taken over. Log in to"
    " the network, then try again; if it goes on, tell the network's operator.",
    "cut_off": "The directory's answer was cut off. Nothing is lost and nothing was taken over."
    " Try again.",
    "oversized": "The directory's answer was larger than any right answer. Nothing is lost and"
    " nothing was taken over. Tell the network's operator.",
    "unwitnessed": "The directory's newest state was signed by too few of the network's witnesses."
    " Nothing is lost and nothing was taken over; what was known before stays in use while it is"
    " fresh. Try again later; if it goes on for a day, tell your coordinator.",
    "bad_checkpoint": "The directory's log does not fit what it signed, or the signature is not"
    " its own. Nothing is lost and nothing was taken over; what was known before stays in use"
    " while it is fresh. Try again; if it goes on, tell the network's operator.",
    "old_checkpoint": "The newest state of the log that the directory shows is more than a day old."
    " Nothing is lost: what waits here is kept and will be sent. Try again later; if it goes on,"
    " tell the network's operator.",
    "withheld": "The directory did not hand out all that it signed. Nothing is lost and nothing"
    " was taken over. Try again; if it goes on, tell the network's operator.",
}

_COPIES: Final = {
    "damaged_copy": "This copy of the log is damaged or not whole. Nothing was changed. Ask for it"
    " again, or let this computer fetch the log from the directory.",
    "bad_checkpoint": "This copy of the log is not of this network, or does not fit what the log"
    " signed. Nothing was changed. Ask your coordinator where it came from.",
    "unwitnessed": "This copy of the log was signed by too few of the network's witnesses. Nothing"
    " was changed. Ask for a newer copy.",
    "not_newer": "This computer knows as much of the log as this copy holds, or more. Nothing was"
    " changed, and nothing needs to be done.",
    "oversized": "This copy of the log is larger than any right one. Nothing was changed. Ask your"
    " coordinator where it came from.",
    "nothing_to_copy": "This computer has no verified copy of the log yet. Let it fetch one from"
    " the directory first.",
}

_KEPT: Final = " Nothing is sent or opened on this computer meanwhile; everything in it is kept."

_STOPS: Final = {
    "root_changed": "The directory shows another root key for {org} than before: its root key"
    " changed; call them on a number you already know." + _KEPT + " Then tell your coordinator.",
    "pin_broken": "The directory's log no longer leads to the statements of {org} that this"
    " computer has seen; call them on a number you already know." + _KEPT,
    "forked": "The directory has signed two different pasts: its log has forked." + _KEPT + " Call"
    " your coordinator on a number you already know, say that the log has forked, and hand over"
    " the evidence that this computer has kept.",
    "malformed_log": "The directory's log holds something that no honest log can hold."
    + _KEPT
    + " Tell your coordinator and the network's operator.",
    "root_lowered": "The directory's log leads to an older root file than this computer has"
    " followed." + _KEPT + " Call your coordinator on a number you already know.",
    "unknown_rules": "The network now follows rules that this version of the program does not"
    " know." + _KEPT + " Install a newer version of the program.",
    "other_net": "This computer's copy of the log belongs to another network than the root file."
    " Nothing was changed. Use the root file that this computer was set up with.",
}
