"""Words one slip apart: a letter wrong, missing, too many, or two exchanged. Pure.

Looking up every word with one letter taken out finds all of them without comparing a word with
the whole vocabulary (the symmetric-delete method); `within_one` then drops the chance ones.
"""

from collections.abc import Iterator


def deletions(word: str) -> Iterator[str]:
    """The word itself and each form of it with one letter taken out."""
    yield word
    seen = {word}
    for i in range(len(word)):
        form = word[:i] + word[i + 1 :]
        if form not in seen:
            seen.add(form)
            yield form


def within_one(first: str, second: str) -> bool:
    """Whether one slip at most turns one word into the other (Damerau's distance, ≤ 1)."""
    if abs(len(first) - len(second)) > 1:
        return False
    i = 0
    while i < min(len(first), len(second)) and first[i] == second[i]:
        i += 1
    a, b = first[i:], second[i:]
    exchanged = len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return exchanged or a[1:] == b[1:] or a[1:] == b or a == b[1:]
