"""Encoder-decoders: a stimulus with the text before it goes to the encoder and, teacher-forced, to the decoder.

Both stacks are layers. Surprisals are the decoder's for each sentence, with the text before it in the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from .encoding import Encoded
from .extraction import Extracted, FeatureTable, Layers, OnProgress, Taps, hidden_of, in_batches, padded
from .framing import Frame
from .options import Pooling
from .planning import Window, prefixes, windows
from .surprisal import Readout, Run, TokenBits


@dataclass(frozen=True, kw_only=True)
class Seq2SeqReader:
    """An encoder-decoder ready to read: the layers of both, named `encoder.…` and `decoder.…`."""

    encoder: nn.Module
    decoder: nn.Module
    encoder_layers: Layers
    decoder_layers: Layers
    encoder_frame: Frame
    decoder_frame: Frame
    readout: Readout
    device: torch.device
    limit: int
    pooling: Pooling
    token_budget: int

    @property
    def capacity(self) -> int:
        """Tokens of text that fit between the special ones, in the encoder and in the decoder."""
        return self.limit - max(len(self.encoder_frame), len(self.decoder_frame))

    def plan(self, texts: Sequence[Encoded]) -> list[Window]:
        """One prefix for each stimulus that is asked for."""
        return prefixes(texts, capacity=self.capacity)

    @torch.inference_mode()
    def read(
        self, texts: Sequence[Encoded], *, n_stimuli: int, layers: bool, surprisal: bool, on_progress: OnProgress
    ) -> Extracted:
        """Features from growing prefixes in both stacks; bits of each sentence after the text before it."""
        names = (*self.encoder_layers.names, *self.decoder_layers.names)
        table = FeatureTable(names, n_stimuli=n_stimuli)
        taps = Taps(self.encoder_layers, self.device), Taps(self.decoder_layers, self.device)
        frames = self.encoder_frame, self.decoder_frame

        def read(batch: list[Window]) -> None:
            for tap, frame in zip(taps, frames, strict=True):
                tap.aim(texts, batch, n_before=len(frame.head), pooling=self.pooling)
            encoded, decoded = (padded(texts, batch, frame) for frame in frames)
            with ExitStack() as attached:
                for tap in taps:
                    attached.enter_context(tap.attached())
                self.forward(encoded, decoded)
            table.add(taps[0].gathered | taps[1].gathered, taps[0].rows, taps[0].counts)

        budget, n_read = self.token_budget, 0
        if layers:
            planned = self.plan(texts)
            n_read += len(planned)
            budget = in_batches(
                planned, read, token_budget=budget, on_progress=on_progress, n_around=self.limit - self.capacity
            )
        token_bits = [TokenBits.unknown(len(text.ids)) for text in texts]
        if surprisal:
            sentences = [window for index, text in enumerate(texts) for window in self._sentences(index, text)]
            n_read += len(sentences)
            budget = self._read_sentences(texts, sentences, token_bits, on_progress)
        return Extracted(
            layers=table.means() if layers else {}, token_bits=token_bits, token_budget=budget, n_windows=n_read
        )

    def forward(
        self, encoded: tuple[torch.Tensor, torch.Tensor], decoded: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """The decoder's last hidden state, (rows, longest row, width)."""
        (ids, mask), (target_ids, target_mask) = (
            (ids.to(self.device), mask.to(self.device)) for ids, mask in (encoded, decoded)
        )
        memory = hidden_of(self.encoder(input_ids=ids, attention_mask=mask)[0])
        output = self.decoder(
            input_ids=target_ids,
            attention_mask=target_mask,
            encoder_hidden_states=memory,
            encoder_attention_mask=mask,
            use_cache=False,
        )
        return hidden_of(output[0])

    def _read_sentences(
        self,
        texts: Sequence[Encoded],
        sentences: Sequence[Window],
        token_bits: Sequence[TokenBits],
        on_progress: OnProgress,
    ) -> int:
        """Bits of every token of the decoder's windows: a sentence each, or parts of one beyond the limit."""
        n_before = len(self.decoder_frame.head)

        def read(batch: list[Window]) -> None:
            pasts = [self._past(texts, window) for window in batch]
            encoded = padded(texts, pasts, self.encoder_frame)
            hidden = self.forward(encoded, padded(texts, batch, self.decoder_frame))
            runs = []
            for row, window in enumerate(batch):
                first = window.first_owned
                ids = texts[window.text].ids[first : window.stop]
                place = first - window.start + n_before - 1
                past = first - window.start + len(pasts[row])
                runs.append(Run(known=token_bits[window.text], ids=ids, first=first, past=past, row=row, place=place))
            self.readout.fill(hidden, runs)

        def length(window: Window) -> int:
            return max(len(window), len(self._past(texts, window)))

        return in_batches(
            sentences,
            read,
            token_budget=self.token_budget,
            on_progress=on_progress,
            length=length,
            n_around=self.limit - self.capacity,
        )

    def _sentences(self, index: int, text: Encoded) -> list[Window]:
        """The windows of a text's sentences, as many as hold stimuli that are asked for."""
        found = []
        bounds = [int(text.first_token[start]) for start in text.sentence_starts] + [len(text.ids)]
        for start, stop in pairwise(bounds):
            for part in windows(stop - start, text=index, capacity=self.capacity, stride=max(1, self.capacity // 2)):
                first_owned = max(start + part.first_owned, text.first_asked_token)
                if start + part.stop > first_owned:
                    found.append(
                        Window(text=index, start=start + part.start, stop=start + part.stop, first_owned=first_owned)
                    )
        return found

    def _past(self, texts: Sequence[Encoded], window: Window) -> Window:
        """What the encoder holds while a sentence is decoded: the text before the sentence, cut from the left."""
        text = texts[window.text]
        sentence = max(start for start in text.sentence_starts if text.first_token[start] <= window.start)
        stop = int(text.first_token[sentence])
        return Window(text=window.text, start=max(0, stop - self.capacity), stop=stop, first_owned=stop)
