"""A verified local copy of the directory's log: which key for this organisation today?

The directory is not trusted. Whoever asks here gets an answer that was checked with the same
code on every desk, every hub and the directory itself, and that the log and enough witnesses have
signed; or an error.
"""

from broker.mirror.fold import RefusedLeaf
from broker.mirror.forks import Fork, parse_fork
from broker.mirror.freshness import Freshness, freshness
from broker.mirror.judging import Seen
from broker.mirror.keeper import SyncReport
from broker.mirror.mirror import Mirror
from broker.mirror.stops import CopyRefused, DirectoryUnreachable, HardStop

__all__ = [
    "CopyRefused",
    "DirectoryUnreachable",
    "Fork",
    "Freshness",
    "HardStop",
    "Mirror",
    "RefusedLeaf",
    "Seen",
    "SyncReport",
    "freshness",
    "parse_fork",
]
