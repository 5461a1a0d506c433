"""A verified local copy of the directory's log: which key for this organisation today?

The directory is not trusted. Whoever asks here gets an answer that was checked with the same
code on every desk, every hub and the directory itself, or an error.
"""

from broker.mirror.fold import RefusedLeaf
from broker.mirror.mirror import Mirror, SyncReport
from broker.mirror.stops import DirectoryUnreachable, HardStop

__all__ = ["DirectoryUnreachable", "HardStop", "Mirror", "RefusedLeaf", "SyncReport"]
