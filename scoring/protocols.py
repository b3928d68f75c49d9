"""Protocols as data: what is held out, how layers are chosen, how reading is measured.

A score without its protocol means nothing; the protocol is part of a score's identity. Each protocol is a frozen
object, so that reading one tells everything about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ProtocolUnsupported
from .registry import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One way to turn responses into a score.

    `word_probability` (boundary, sum) says how a word's probability is made from its tokens', `times` which alignment
    of reading times gives the raw score; `layer_rule` is the sentence that stands beside the chosen layers.
    """

    name: str
    summary: str
    layer_rule: str
    word_probability: str
    times: str


GROUPED = Protocol(
    name="grouped",
    summary=(
        "Whole topics, stories or runs are held out; ridge with one penalty per unit, chosen inside the training "
        "folds; the layer is chosen inside them too."
    ),
    layer_rule="per outer fold and part: the highest median over units of the inner folds' mean r; ties the shallower",
    word_probability="boundary",
    times="realigned",
)

PROTOCOLS = {protocol.name: protocol for protocol in (GROUPED,)}


def protocol_named(name: str) -> Protocol:
    """The protocol of this name. Raises ProtocolUnsupported with the known names."""
    if name not in PROTOCOLS:
        known = tuple(PROTOCOLS)
        raise ProtocolUnsupported(
            f"{name!r} is not one of {', '.join(known)}", hint=did_you_mean(name, known), param="protocol"
        )
    return PROTOCOLS[name]
