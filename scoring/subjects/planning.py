"""From tokens to windows and batches: what is read together. Pure: no model, no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ContextTooShort
from .encoding import Encoded

LONGEST_WINDOW = 8192
"""Tokens that are read at one time at most, whatever a model allows: the cap on memory."""

_BUDGETS = {"cpu": 1024}
"""Padded tokens in one forward where fewer are faster: on a CPU the arrays of larger batches leave every cache."""

SURPRISAL_CHUNK = 128
"""Rows of logits that exist at one time: memory is chunk × vocabulary, whatever the text's length."""


def token_budget(device: str) -> int:
    """Padded tokens in one forward on a kind of device (`cpu`, `cuda`); a longer window is read by itself."""
    return _BUDGETS.get(device.partition(":")[0], LONGEST_WINDOW)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Tokens [start, stop) of text `text` in one forward; those from `first_owned` on are answered for here."""

    text: int
    start: int
    stop: int
    first_owned: int

    def __len__(self) -> int:
        return self.stop - self.start


def windows(n_tokens: int, *, text: int, capacity: int, stride: int, first_asked: int = 0) -> list[Window]:
    """Rolling windows over a text: every token from `first_asked` on is owned once, by the window with the most past.

    Windows start `stride` tokens apart and hold at most `capacity`; a token beyond the first window keeps at least
    capacity − stride tokens of past. Raises ContextTooShort where capacity or stride leave no room.
    """
    if not 0 < stride < capacity:
        raise ContextTooShort(f"a context of {capacity} tokens has no room for windows with stride {stride}")
    found: list[Window] = []
    start, owned = 0, 0
    while owned < n_tokens:
        stop = min(start + capacity, n_tokens)
        if stop > first_asked:
            found.append(Window(text=text, start=start, stop=stop, first_owned=max(owned, first_asked)))
        owned, start = stop, start + stride
    return found


def rolling(texts: Sequence[Encoded], *, capacity: int, stride: int) -> list[Window]:
    """The windows of all texts, for models that do not see the future: one forward answers for all it owns."""
    return [
        window
        for index, text in enumerate(texts)
        for window in windows(
            len(text.ids), text=index, capacity=capacity, stride=stride, first_asked=text.first_asked_token
        )
    ]


def prefixes(texts: Sequence[Encoded], *, capacity: int) -> list[Window]:
    """For models that see the future: each stimulus that is asked for with the text before it, cut from the left.

    Every window ends with its stimulus and owns that stimulus' tokens, as far as they fit into `capacity`.
    """
    if capacity < 1:
        raise ContextTooShort(f"a context of {capacity} tokens has no room for a token")
    found = []
    for index, text in enumerate(texts):
        for stimulus in text.asked.tolist():
            stop = int(text.last_token[stimulus]) + 1
            start = max(0, stop - capacity)
            first_owned = max(start, int(text.first_token[stimulus]))
            found.append(Window(text=index, start=start, stop=stop, first_owned=first_owned))
    return found


def batches(
    planned: Sequence[Window], *, token_budget: int, length: Callable[[Window], int] = len
) -> list[list[Window]]:
    """Windows sorted by length and cut so that rows × longest row stays within `token_budget` (at least one row)."""
    result: list[list[Window]] = []
    for window in sorted(planned, key=length, reverse=True):
        if result and length(result[-1][0]) * (len(result[-1]) + 1) <= token_budget:
            result[-1].append(window)
        else:
            result.append([window])
    return result
