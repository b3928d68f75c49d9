"""What errors of transformers and peft mean: memory that is not there, or files that are not a model.

What belongs here: the meaning of exceptions of libraries that read strangers' files. What does not: the calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import ModelIncomplete, OutOfMemory, ScoringError
from .extraction import is_out_of_memory, release_memory

MAX_CHARACTERS = 300


@contextmanager
def understood(what: str, *, memory: str = "memory", param: str = "model") -> Iterator[None]:
    """Turn what the block raises into OutOfMemory or ModelIncomplete; errors of ours pass as they are.

    A fault of the GPU is neither and passes too. `what` names the files in the plural, `memory` the place for them.
    """
    try:
        yield
    except ScoringError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            release_memory()
            raise OutOfMemory(
                f"{what} do not fit on {memory} ({_said(error)})",
                hint="take a worker with more memory, or dtype bfloat16",
            ) from error
        if isinstance(error, torch.AcceleratorError):
            raise
        raise ModelIncomplete(
            f"{what} cannot be loaded: {type(error).__name__}: {_said(error)}",
            hint="a configuration or a file contradicts itself or is damaged",
            param=param,
        ) from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:MAX_CHARACTERS]
