"""What can be wrong with bytes, said once for every part of the system.

One family, so that whoever reads foreign bytes catches one name. An error knows a stable
code and the name of a field; it refuses to know values, because errors are printed, logged
and sent back to peers, and a value may be a survivor's name. Raise with `from None` wherever
the cause could hold a value.

    raise Malformed("not_base64", "com")
"""

from __future__ import annotations


class ContractError(Exception):
    """Something breaks what was agreed.

    `code` is stable snake_case that programs may compare; `field` names a member known to the
    agreement ("" if the whole is meant), never one that a peer made up.
    """

    meaning = "Something breaks what was agreed"

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(code, field)
        self.code = code
        self.field = field

    def __str__(self) -> str:
        where = f", in {self.field}" if self.field else ""
        return f"{self.meaning} ({self.code.replace('_', ' ')}{where})."


class Malformed(ContractError):
    """These bytes do not have the agreed form. Whoever wrote them must write them anew."""

    meaning = "These bytes do not have the agreed form"


class BadSignature(ContractError):
    """The signature is not by the stated key over these bytes. Nothing in them may be believed."""

    meaning = "The signature does not fit these bytes and the stated key"

    def __init__(self, code: str = "bad_signature", field: str = "s") -> None:
        super().__init__(code, field)


class Refused(ContractError):
    """Well-formed, but a rule forbids it: the hub's, the register's or the case's own."""

    meaning = "This was refused, because a rule forbids it"


class Rejected(ContractError):
    """A received envelope could not be opened.

    `signed` tells whether its signature had been verified before the fault was found: only then
    may the raw bytes be kept and a `rejected` receipt go back (otherwise anybody could make a
    desk store and answer).
    """

    meaning = "This envelope could not be opened"

    def __init__(self, code: str, field: str = "", *, signed: bool = False) -> None:
        super().__init__(code, field)
        self.signed = signed
