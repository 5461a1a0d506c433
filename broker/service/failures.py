"""The one kind of error whose text may be shown to a person.

Everything else that is raised, by us or by a library, is shown and logged by its type alone: its
text may hold a value somebody entrusted to us.
"""

from __future__ import annotations


class Failure(Exception):
    """A sentence of ours: what happened, that nothing is lost, who does what next.

    The sentence is written in the code; it may name fields, files of our own and counts, never a
    rejected value, a secret or a library's message.
    """
