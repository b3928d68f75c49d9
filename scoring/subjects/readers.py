"""From a loaded model to the reader for its layout, probed: causal where it has to be, finite, its head understood."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers.models import WordPiece
from torch import nn

from ..errors import ArchitectureUnsupported, ModelIncomplete
from ..responses import SurprisalKind
from . import planning
from .causal import CausalReader
from .encoder import EncoderReader, MaskedReadout
from .encoder_decoder import Seq2SeqReader
from .extraction import Layers, Reader
from .families.base import Family, Layout, Stack, family_of
from .framing import Frame, causal_frame, decoder_frame, encoder_frame
from .heads import masked_token_head, next_token_head
from .options import ReadingOptions, SurprisalMethod
from .possible import require_possible
from .probes import probe_causality, probe_head, probe_ids, probe_states
from .sizes import n_positions
from .surprisal import Readout
from .vocabulary import BoundarySet, boundary_set

UNBELIEVABLE_LENGTH = 1_000_000
"""Tokenizers without a limit of their own state a number beyond this."""


@dataclass(frozen=True, kw_only=True)
class OpenModel:
    """A model that is ready to read, and what a score has to say of how it reads."""

    reader: Reader
    layout: Layout
    kind: SurprisalKind
    boundary: BoundarySet
    frames: tuple[Frame, ...]
    n_embeddings: int
    bos: int | None = None
    stride: int | None = None

    @property
    def n_frame_tokens(self) -> int:
        """Ids that stand around every text."""
        return sum(map(len, self.frames))

    @property
    def largest_frame_id(self) -> int:
        """The largest of them."""
        return max((id for frame in self.frames for id in (*frame.head, *frame.tail)), default=0)

    @property
    def frame_sha256(self) -> str:
        """A digest of them: templates can be long."""
        return hashlib.sha256(repr([(frame.head, frame.tail) for frame in self.frames]).encode()).hexdigest()


def open_reader(model: Any, tokenizer: Any, reading: ReadingOptions, *, token_budget: int | None) -> OpenModel:
    """The reader of a model, after probes; without a `token_budget` that of the device.

    Raises ArchitectureUnsupported, ModelIncomplete; OptionUnknown for an option that the model's layout has not.
    """
    family = family_of(model.config.model_type)
    require_possible(family.layout, reading)
    opening = {
        Layout.DECODER: _open_decoder,
        Layout.ENCODER: _open_encoder,
        Layout.ENCODER_DECODER: _open_encoder_decoder,
    }[family.layout]
    with torch.inference_mode():
        return opening(model, tokenizer, family, reading, token_budget or planning.token_budget(_device(model).type))


def _open_decoder(model: Any, tokenizer: Any, family: Family, reading: ReadingOptions, token_budget: int) -> OpenModel:
    device, base = _device(model), model.base_model
    layers = _layers(base, family.stacks[0])
    head = next_token_head(model)
    ids = probe_ids(_n_embeddings(model), device)
    states = base(input_ids=ids, use_cache=False)[0]
    probe_states(states)
    probe_causality(states)
    probe_head(head(states), model(input_ids=ids, use_cache=False).logits)
    boundary = _boundary(model, tokenizer)
    frame = causal_frame(tokenizer, reading.prompt_format)
    reader = CausalReader(
        base=base,
        layers=layers,
        readout=_readout(head, boundary, device),
        frame=frame,
        device=device,
        limit=context_limit(model.config, tokenizer, family),
        pooling=reading.pooling,
        token_budget=token_budget,
    )
    return OpenModel(
        reader=reader,
        layout=family.layout,
        kind=SurprisalKind.CAUSAL,
        boundary=boundary,
        frames=(frame,),
        n_embeddings=_n_embeddings(model),
        bos=frame.head[0] if frame.head and frame.head[0] in _document_ends(model, tokenizer) else None,
        stride=reader.stride,
    )


def _open_encoder(model: Any, tokenizer: Any, family: Family, reading: ReadingOptions, token_budget: int) -> OpenModel:
    device, base = _device(model), model.base_model
    layers = _layers(base, family.stacks[0])
    ids = probe_ids(_n_embeddings(model), device)
    states = base(input_ids=ids)[0]
    probe_states(states)
    boundary = BoundarySet(ids=None, reason="masked tokens are predicted from both sides")
    masked = None
    if reading.surprisal is SurprisalMethod.PSEUDO_LOG_LIKELIHOOD:
        if tokenizer.mask_token_id is None:
            raise ModelIncomplete("the tokenizer has no mask token")
        head = masked_token_head(model, family)
        probe_head(head(states), model(input_ids=ids).logits)
        masked = MaskedReadout(readout=_readout(head, boundary, device), mask_id=tokenizer.mask_token_id)
    reader = EncoderReader(
        base=base,
        layers=layers,
        frame=encoder_frame(tokenizer),
        device=device,
        limit=context_limit(model.config, tokenizer, family),
        masked=masked,
        pooling=reading.pooling,
        token_budget=token_budget,
    )
    return OpenModel(
        reader=reader,
        layout=family.layout,
        kind=SurprisalKind.PSEUDO_LOG_LIKELIHOOD,
        boundary=boundary,
        frames=(reader.frame,),
        n_embeddings=_n_embeddings(model),
    )


def _open_encoder_decoder(
    model: Any, tokenizer: Any, family: Family, reading: ReadingOptions, token_budget: int
) -> OpenModel:
    device, encoder, decoder = _device(model), model.get_encoder(), model.get_decoder()
    around = encoder_frame(tokenizer)
    boundary, head = _boundary(model, tokenizer), next_token_head(model)
    reader = Seq2SeqReader(
        encoder=encoder,
        decoder=decoder,
        encoder_layers=_layers(encoder, family.stacks[0], prefix="encoder."),
        decoder_layers=_layers(decoder, family.stacks[1], prefix="decoder."),
        encoder_frame=around,
        decoder_frame=decoder_frame(model.config, around),
        readout=_readout(head, boundary, device),
        device=device,
        limit=context_limit(model.config, tokenizer, family),
        pooling=reading.pooling,
        token_budget=token_budget,
    )
    ids = probe_ids(_n_embeddings(model), device)
    source = ids[:1].expand(2, -1)
    states = reader.forward((source, torch.ones_like(source)), (ids, torch.ones_like(ids)))
    probe_states(states)
    probe_causality(states)
    probe_head(head(states), model(input_ids=source, decoder_input_ids=ids, use_cache=False).logits)
    return OpenModel(
        reader=reader,
        layout=family.layout,
        kind=SurprisalKind.SEQ2SEQ,
        boundary=boundary,
        frames=(around, reader.decoder_frame),
        n_embeddings=_n_embeddings(model),
    )


def context_limit(config: Any, tokenizer: Any, family: Family) -> int:
    """The longest input in tokens, special ones included: the least of config, tokenizer and our own cap.

    Where rotary frequencies change for the whole batch once one text passes the original length (`longrope`,
    `dynamic`), that length is the limit: beyond it a text's states would depend on its neighbours and on what follows.
    """
    stated = n_positions(
        {**config.to_dict(), "max_position_embeddings": getattr(config, "max_position_embeddings", None)}
    )
    limits = [
        planning.LONGEST_WINDOW,
        *([stated - family.n_reserved_positions] if stated else []),
        *_rope_limits(config),
    ]
    if tokenizer.model_max_length < UNBELIEVABLE_LENGTH:
        limits.append(int(tokenizer.model_max_length))
    return min(limits)


def _rope_limits(config: Any) -> list[int]:
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [rope, *(inner for inner in rope.values() if isinstance(inner, dict))]
    changing = [kind for kind in kinds if kind.get("rope_type", kind.get("type")) in ("longrope", "dynamic")]
    stated = [kind.get("original_max_position_embeddings") for kind in changing]
    if changing:
        stated.append(getattr(config, "original_max_position_embeddings", None))
    return [int(length) for length in stated if length]


def _layers(base: nn.Module, stack: Stack, *, prefix: str = "") -> Layers:
    norm = None if stack.final_norm is None else _part(base, stack.final_norm)
    return Layers(blocks=_part(base, stack.blocks), final_norm=norm, prefix=prefix)


def _part(base: nn.Module, place: str) -> Any:
    """A part of the model at the place that its family names."""
    try:
        return base.get_submodule(place)
    except AttributeError:
        raise ArchitectureUnsupported(
            f"the model has no {place}: it is a variant of its type whose layers are not known here"
        ) from None


def _device(model: Any) -> torch.device:
    """Where ids go: the device of the embeddings, also where the model is spread over several."""
    device: torch.device = model.get_input_embeddings().weight.device
    return device


def _n_embeddings(model: Any) -> int:
    return len(model.get_input_embeddings().weight)


def _readout(head: Any, boundary: BoundarySet, device: torch.device) -> Readout:
    ids = None if boundary.ids is None else torch.from_numpy(boundary.ids).to(device)
    return Readout(head=head, boundary=ids)


def _boundary(model: Any, tokenizer: Any) -> BoundarySet:
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    n_outputs = len(model.get_output_embeddings().weight)
    return boundary_set(
        pieces,
        ends=_document_ends(model, tokenizer),
        n_outputs=n_outputs,
        marks_continuation=_marks_continuation(tokenizer),
    )


def _marks_continuation(tokenizer: Any) -> bool:
    """Whether the tokenizer writes `##` before what continues a word, or `</w>` where one ends."""
    model = tokenizer.backend_tokenizer.model
    marks = ("continuing_subword_prefix", "end_of_word_suffix")
    return isinstance(model, WordPiece) or any(getattr(model, mark, None) for mark in marks)


def _document_ends(model: Any, tokenizer: Any) -> set[int]:
    """Every id that begins or ends a document or a turn, as tokenizer, configuration and generation settings say."""
    stated = [tokenizer.bos_token_id, tokenizer.eos_token_id, getattr(model.config, "eos_token_id", None)]
    generation = getattr(model, "generation_config", None)
    stated.append(getattr(generation, "eos_token_id", None))
    found: set[int] = set()
    for ids in stated:
        found |= set(ids) if isinstance(ids, list) else {ids} - {None}
    return found
