"""The witness: a mirror that verifies several logs and signs what it has seen of each.

It promises one thing of every log it follows: that it never signed two trees of which one does not
continue the other, and that it holds every leaf of what it signed. Whether a statement is true, or
even counts, it refuses to know. It keeps no case and no personal data.

    rujukan-directory witness-key --name witness.example.my --country my --url URL --out FILE
    rujukan-directory witness

Put back from an old backup, or with its database lost, it answers 409 with the size it still knows,
catches up, and signs only what continues the marks beside its key. What it cannot prevent: where
database, key and marks all come from one old backup it does not know what it signed since, and a
log that forks at that moment could get a second signature. So old marks are never put back; if
they are lost, a new key is made and the root file changed.

A clock that differs from the directory's by more than 300 seconds is noticed, and so is one that
fell, or leaves of another time; a clock that is wrong together with the directory's is not.
Clients take the k-th newest of all witnesses' times, so that one with a false clock moves nothing.
"""
