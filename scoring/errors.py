"""The error tree of the science. Each class has a stable code that reaches the HTTP problem unchanged.

    ScoringError
    ├── ModelError: model_id_malformed, model_not_found, revision_not_found, model_gated, no_safetensors,
    │       remote_code_refused, architecture_unsupported, model_incomplete, model_too_large, import_malformed,
    │       import_unsuited
    ├── TextError: text_unalignable, context_too_short
    ├── DataError: data_missing, data_checksum_mismatch, data_malformed, recording_refused
    ├── RequestError: benchmark_unknown, protocol_unsupported, option_unknown, property_unknown, property_constant,
    │       property_invalid, analysis_too_small, study_invalid
    ├── NumericalFailure, OutOfMemory, InsufficientStorage
    └── HubUnavailable

HubUnavailable, DataUnreachable (a data_missing) and ModelCacheBusy (an insufficient_storage) are worth a retry as they
stand.

What belongs here: errors a scientist can meet without a server. Errors of jobs and rows live in `storage.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

N_SHOWN = 96
"""Characters of a stranger's text that a message carries: those of the longest model id."""


def shown(text: str) -> str:
    """A stranger's text as a message may carry it: quoted, escaped and short."""
    return ascii(text if len(text) <= N_SHOWN else f"{text[:N_SHOWN]}…")


class CodedError(Exception):
    """An error with a stable code: the root of the trees of the science, of stored facts and of HTTP.

    `detail` says what was wrong and which value; `hint` says what to do about it; `param` names the field.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, hint: str | None = None, param: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.param = param


class ScoringError(CodedError):
    """Something about the request, the model, the data or the numbers prevents a score."""


class RequestError(ScoringError):
    """The request names something that does not exist or cannot be combined."""


class BenchmarkUnknown(RequestError):
    """No benchmark has this name."""

    code = "benchmark_unknown"


class ProtocolUnsupported(RequestError):
    """No such protocol, or this benchmark is not defined under it."""

    code = "protocol_unsupported"


class OptionUnknown(RequestError):
    """An option has an unknown name or a value outside its choices."""

    code = "option_unknown"


class PropertyUnknown(RequestError):
    """Models have no property of this name that an analysis could use."""

    code = "property_unknown"


class PropertyConstant(RequestError):
    """A score or a property is the same for all models that an analysis is over, so that nothing goes with it."""

    code = "property_constant"


class AnalysisTooSmall(RequestError):
    """Fewer models, pairs or steps than the analysis needs have everything that it asks for."""

    code = "analysis_too_small"


class PropertyInvalid(RequestError):
    """A model cannot have a property of this name or value."""

    code = "property_invalid"


class StudyInvalid(RequestError):
    """No study has this name, or the definition of one asks for what cannot be."""

    code = "study_invalid"


class ModelError(ScoringError):
    """The named model cannot be taken."""


class ModelIdMalformed(ModelError):
    """The model id breaks the hub's rules or the rules of a reserved namespace."""

    code = "model_id_malformed"


class ModelNotFound(ModelError):
    """The hub, the folder of local models or that of imports has no model of this id."""

    code = "model_not_found"


class RevisionNotFound(ModelError):
    """The model exists, the revision does not."""

    code = "revision_not_found"


class ModelGated(ModelError):
    """The model's owner gives access only to approved accounts."""

    code = "model_gated"


class NoSafetensors(ModelError):
    """The repository has no safetensors weights, or no tokenizer file that can be read without running code."""

    code = "no_safetensors"


class RemoteCodeRefused(ModelError):
    """The configuration asks for code from the repository to be run."""

    code = "remote_code_refused"


class ArchitectureUnsupported(ModelError):
    """The model's type is not one whose layers are known here, or it fails the causality probe."""

    code = "architecture_unsupported"


class ModelIncomplete(ModelError):
    """The files lack what they need or are not what they were: tensors, configuration, an import."""

    code = "model_incomplete"


class ModelTooLarge(ModelError):
    """The model does not fit into the memory of the worker, or its files are more than a worker takes."""

    code = "model_too_large"

    def __init__(
        self, detail: str, *, hint: str | None = None, param: str | None = None, needed_bytes: int | None = None
    ) -> None:
        super().__init__(detail, hint=hint, param=param)
        self.needed_bytes = needed_bytes


class ImportMalformed(ModelError):
    """An imported file is not what it was declared to be, or the declaration is incomplete."""

    code = "import_malformed"


class ImportUnsuited(ModelError):
    """What was imported lacks what the benchmark asks for, or is about another text."""

    code = "import_unsuited"


class TextError(ScoringError):
    """A text and a tokenizer do not fit together."""


class TextUnalignable(TextError):
    """Tokens cannot be given to words or sentences without ambiguity."""

    code = "text_unalignable"


class ContextTooShort(TextError):
    """The model's context has no room for a token and its predecessor."""

    code = "context_too_short"


class DataError(ScoringError):
    """A data set cannot be used."""


class DataMissing(DataError):
    """A file of a data set is neither in the mirror nor reachable at its public address."""

    code = "data_missing"


class DataUnreachable(DataMissing):
    """The public address of a file does not answer now."""

    retryable = True


class DataChecksumMismatch(DataError):
    """A file is not the one that the manifest names."""

    code = "data_checksum_mismatch"


class DataMalformed(DataError):
    """A data set's files contradict one another or what they were declared to be."""

    code = "data_malformed"


class RecordingRefused(DataMalformed):
    """A data set that somebody brings has errors; the detail names all of them, a line each.

    `found` has them one by one, and the warnings: `level`, `code`, `detail`, and `param` where it is about one field of
    what was declared.
    """

    code = "recording_refused"

    def __init__(
        self,
        detail: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        found: Sequence[Mapping[str, str | None]] = (),
    ) -> None:
        super().__init__(detail, hint=hint, param=param)
        self.found = tuple(found)


class NumericalFailure(ScoringError):
    """A number that has to be finite is not."""

    code = "numerical_failure"


class OutOfMemory(ScoringError):
    """The computation does not fit into the memory of this worker."""

    code = "out_of_memory"


class InsufficientStorage(ScoringError):
    """The disk, the quota of uploads or that of models has no room for what comes."""

    code = "insufficient_storage"


class ModelCacheBusy(InsufficientStorage):
    """The model cache has room once other runs have ended: what fills it is being read."""

    retryable = True


class HubUnavailable(ScoringError):
    """The hub does not answer, or answers that it is busy.

    `retry_after_s` is the pause in seconds that the hub asked for, where it did.
    """

    code = "hub_unavailable"
    retryable = True

    def __init__(self, detail: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after_s = retry_after_s
