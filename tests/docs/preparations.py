"""What has to be there before the commands of a page can be run, and what stands in for what is not at hand.

Pages name models of the hub and measured data. Here a hub on loopback serves tiny models under the same names, and
planted data stand for measured ones; whether numbers on measured data are right is asked in `tests/golden`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEMO = "demo"
"""A copy of `demo/tiny` in place of a model; any other word is a `model_type` of transformers."""
PICKLED = "pickled"
"""An OPT model with pickled weights."""

READING = {"futrell2018": "demo-reading"}
BRAIN = {"pereira2018-example-384": "demo-fmri", "pereira2018-example": "demo-fmri"}


def no_files(folder: Path) -> None:
    """Nothing has to be there."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """`hub` are models by what the hub calls them, `local` those of BROCA_MODEL_DIR, `before` commands run first.

    `stands_in` are names of the page with those that take their place; `{here}` is the folder that commands run in.
    """

    hub: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)
    stands_in: Mapping[str, str] = field(default_factory=dict)
    files: Callable[[Path], None] = no_files
    before: str = ""

    def settings(self, folder: Path) -> dict[str, str]:
        """Settings of server and commands that follow from it."""
        return {"BROCA_MODEL_DIR": str(folder / "models")} if self.local else {}


PREPARATIONS: Mapping[str, Preparation] = {
    "docs/tutorial/base-and-tuned.md": Preparation(
        hub={"HuggingFaceTB/SmolLM2-135M": DEMO, "HuggingFaceTB/SmolLM2-135M-Instruct": DEMO}, stands_in=READING
    ),
}
