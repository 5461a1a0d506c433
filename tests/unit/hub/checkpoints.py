"""What a directory without witnesses says of its log: the checkpoint over all of it.

note = checkpoint_note(network.log, net=NET, key=network.log_key)
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.checkpoints import Checkpoint, checkpoint_text, sign_checkpoint
from contracts.log import leaf_hash
from contracts.notes import render_note, signed_note
from contracts.signing import SigningKey
from contracts.tree import Tree

TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"


def checkpoint_note(leaves: Sequence[bytes], *, net: str, key: SigningKey) -> bytes:
    """The signed note over these leaves, as `GET /log/checkpoint` gives it."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    checkpoint = Checkpoint(net, tree.size, tree.root())
    return render_note(signed_note(checkpoint_text(checkpoint), sign_checkpoint(checkpoint, key)))
