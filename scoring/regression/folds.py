"""Which rows are held out together. A fold is the rows of its test set; the rest of the part is its training set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataMalformed
from ..types import IndexArray

MINIMUM_TEST_ROWS = 10
"""Below this a Pearson r over a fold's test rows says next to nothing."""


def grouped_folds(groups: Sequence[str], n_folds: int) -> tuple[IndexArray, ...]:
    """Test rows of each fold, whole groups together.

    Groups are taken in order of first appearance and cut by `np.array_split(unique_groups, n_folds)`.
    Raises DataMalformed where groups are fewer than folds or a fold has fewer than 10 test rows.
    """
    unique = list(dict.fromkeys(groups))
    if len(unique) < n_folds:
        raise DataMalformed(f"{len(unique)} groups cannot make {n_folds} folds")
    fold_of_group = {
        group: fold
        for fold, block in enumerate(np.array_split(np.arange(len(unique)), n_folds))
        for group in (unique[index] for index in block)
    }
    fold_of_row = np.array([fold_of_group[group] for group in groups])
    folds = tuple(np.flatnonzero(fold_of_row == fold) for fold in range(n_folds))
    smallest = min(len(rows) for rows in folds)
    if smallest < MINIMUM_TEST_ROWS:
        raise DataMalformed(f"a fold has {smallest} test rows; at least {MINIMUM_TEST_ROWS} are needed")
    return folds


def refuse_text_in_two_groups(texts: Sequence[str], groups: Sequence[str]) -> None:
    """Raises DataMalformed where one text stands in two groups, so that training would contain the test."""
    group_of: dict[str, str] = {}
    for text, group in zip(texts, groups, strict=True):
        if group_of.setdefault(text, group) != group:
            raise DataMalformed(f"the text {text[:80]!r} stands in the groups {group_of[text]!r} and {group!r}")
