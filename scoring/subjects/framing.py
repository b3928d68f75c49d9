"""What stands around a text when a model reads it: BOS, a chat template, the special tokens of encoders.

What belongs here: ids that are never scored and never stand for a stimulus. What does not: the text's own tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ModelIncomplete, OptionUnknown
from .encoding import Tokenizer
from .options import PromptFormat

_MARK = "BROCATEXT"
"""Stands for the text while a template is cut into what comes before it and what comes after."""

_DAY = "26 Jul 2024"
"""The day that templates are told, since some write the date: the same text every day."""
_CLOCK = f"{{%- macro strftime_now(format) -%}}{_DAY}{{%- endmacro -%}}"
"""Stands before a template and takes the place of the clock that templates may ask."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Ids before and after every window."""

    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)


def bos_id(tokenizer: Tokenizer) -> int | None:
    """The token put once before every window: BOS where the model has one, else EOS, else none."""
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id


def causal_frame(tokenizer: Any, prompt_format: PromptFormat) -> Frame:
    """BOS before the text, or the model's chat template up to the place where a user's message stands.

    The template's tokens are made apart from the text's, so that no token holds some of both, and BOS stands once:
    where the template begins with it, it is not added. What the template puts after the text is not read.
    Raises OptionUnknown where the tokenizer has no template or the template does not take a single message.
    """
    if prompt_format is PromptFormat.PLAIN:
        bos = bos_id(tokenizer)
        return Frame(head=() if bos is None else (bos,))
    before = _template_head(tokenizer)
    ids = tuple(tokenizer(before, add_special_tokens=False, verbose=False)["input_ids"])
    bos = tokenizer.bos_token_id
    return Frame(head=ids if bos is None or ids[:1] == (bos,) else (bos, *ids))


def encoder_frame(tokenizer: Any) -> Frame:
    """The special tokens that the tokenizer itself puts around a text, such as [CLS] … [SEP] or … </s>."""
    bare = tokenizer("a", add_special_tokens=False, verbose=False)["input_ids"]
    framed = tokenizer("a", add_special_tokens=True, verbose=False)["input_ids"]
    for start in range(len(framed) - len(bare) + 1):
        if framed[start : start + len(bare)] == bare:
            return Frame(head=tuple(framed[:start]), tail=tuple(framed[start + len(bare) :]))
    raise ModelIncomplete("the tokenizer changes a text's own tokens when it adds its special ones")


def decoder_frame(config: Any, encoder: Frame) -> Frame:
    """What a teacher-forced decoder reads before a text: its start token and what the encoder has before the text."""
    start = config.decoder_start_token_id
    if start is None:
        raise ModelIncomplete("config.json names no decoder_start_token_id")
    return Frame(head=(int(start), *encoder.head))


def _template_head(tokenizer: Any) -> str:
    if not getattr(tokenizer, "chat_template", None):
        raise OptionUnknown(
            "this model's tokenizer has no chat template",
            hint="leave prompt_format at plain",
            param="options.prompt_format",
        )
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": _MARK}],
            chat_template=_CLOCK + tokenizer.get_chat_template(),
            tokenize=False,
            date_string=_DAY,
        )
    except Exception as error:  # a template is a stranger's program and may raise anything
        raise OptionUnknown(
            f"the chat template does not take one message: {type(error).__name__}: {str(error)[:200]}",
            param="options.prompt_format",
        ) from error
    head, mark, _ = str(text).partition(_MARK)
    if not mark:
        raise OptionUnknown("the chat template does not keep a message's text", param="options.prompt_format")
    return head
