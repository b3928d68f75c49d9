"""Which ways of reading go with which models: known from a configuration, before any weight moves.

What belongs here: combinations of layout, options and what is asked. What does not: the values of single options
(`options`), and what only a loaded model can tell (`readers`). Runs without torch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import OptionUnknown
from .families.base import Layout
from .options import PromptFormat, ReadingOptions, SurprisalMethod

TEMPLATE_FILE = "chat_template.jinja"


def require_possible(layout: Layout, reading: ReadingOptions, *, asks_surprisal: bool = False) -> None:
    """Pass where a model of this layout can read so, and give surprisals where they are asked for.

    Raises OptionUnknown.
    """
    if reading.prompt_format is PromptFormat.CHAT and layout is not Layout.DECODER:
        raise OptionUnknown(f"an {layout} model takes no chat template", param="options.prompt_format")
    is_masked = reading.surprisal is SurprisalMethod.PSEUDO_LOG_LIKELIHOOD
    if is_masked and layout is not Layout.ENCODER:
        raise OptionUnknown(
            f"pseudo-log-likelihoods are of masked language models; this one is {layout}",
            hint="leave surprisal at auto",
            param="options.surprisal",
        )
    if asks_surprisal and layout is Layout.ENCODER and not is_masked:
        raise OptionUnknown(
            "an encoder sees the future and gives no surprisals",
            hint="score it on brain benchmarks, or choose the option surprisal: pseudo-log-likelihood",
            param="options.surprisal",
        )


def require_template(names: Collection[str], tokenizer_config: Mapping[str, Any], reading: ReadingOptions) -> None:
    """Pass where the files `names` hold a chat template, or none is needed; raises OptionUnknown otherwise."""
    if reading.prompt_format is not PromptFormat.CHAT or tokenizer_config.get("chat_template"):
        return
    if TEMPLATE_FILE not in names:
        raise OptionUnknown(
            "this model's tokenizer has no chat template",
            hint="leave prompt_format at plain",
            param="options.prompt_format",
        )
