"""Where sentences begin, told from the words alone."""

from __future__ import annotations

from collections.abc import Sequence

ENDINGS = (".", "?", "!", ".'", "?'", "!'", ";'")
"""With one of these a sentence's last word ends."""
NOT_ENDINGS = ("Mr.",)


def sentence_starts(texts: Sequence[str]) -> list[int]:
    """The positions of the stimuli that begin a sentence.

    A sentence ends with a stimulus that ends in one of ENDINGS, unless the next one begins in lower case or it is one
    of NOT_ENDINGS (the rule of arXiv 2312.00575's stimuli: 481 sentences in Natural Stories).
    """
    starts = [0]
    for position in range(1, len(texts)):
        before, following = texts[position - 1], texts[position]
        if before.endswith(ENDINGS) and before not in NOT_ENDINGS and not following[:1].islower():
            starts.append(position)
    return starts
