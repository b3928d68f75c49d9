"""What a subject is: anything that can take the experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..responses import Responses
from ..types import Stimuli


class Subject(Protocol):
    """A language model, or whatever stands in for one."""

    @property
    def identifier(self) -> str:
        """The name under which its scores stand."""
        ...

    def respond(
        self,
        stimuli: Stimuli,
        *,
        layers: bool,
        surprisal: bool,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> Responses:
        """Read the stimuli in their contexts and give features by layer, surprisals, or both.

        What is answered depends on texts, spans and ids alone: answers are kept and given again for other groups.
        """
        ...
