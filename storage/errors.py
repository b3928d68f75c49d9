"""The error tree of storage. Each class has a stable code that reaches the HTTP problem unchanged.

    StorageError
    ├── JobNotFound: job_not_found
    ├── JobNotYours: job_not_yours
    ├── JobNotRetryable: job_not_retryable
    ├── IdempotencyKeyReused: idempotency_key_reused
    ├── RunNotFound: run_not_found
    ├── ScoreNotFound: score_not_found
    ├── WordTableNotFound: word_table_not_found
    ├── UnitTableNotFound: unit_table_not_found
    ├── AnalysisNotFound: analysis_not_found
    ├── StudyNotFound: study_not_found
    ├── LineageCyclic: lineage_cyclic
    ├── ModelUnknown: model_unknown
    ├── ModelExists: model_exists
    ├── TooManyJobs: too_many_jobs (worth a retry once some have ended)
    ├── QuotaExceeded: quota_exceeded
    ├── PageTokenInvalid: page_token_invalid
    ├── SortUnknown: sort_unknown
    └── DatabaseUnavailable: database_unavailable (worth a retry as it stands)

What belongs here: errors about stored facts.
"""

from __future__ import annotations

from scoring.errors import CodedError


class StorageError(CodedError):
    """A stored fact that was asked for does not exist, or a question about facts makes no sense."""


class JobNotFound(StorageError):
    """No job has this id."""

    code = "job_not_found"


class JobNotYours(StorageError):
    """The job was asked for with another key, and this one may not change it."""

    code = "job_not_yours"


class JobNotRetryable(StorageError):
    """The job is not finished yet, or every run of it has a score."""

    code = "job_not_retryable"


class IdempotencyKeyReused(StorageError):
    """The Idempotency-Key was sent with another request before."""

    code = "idempotency_key_reused"


class RunNotFound(StorageError):
    """No run has this id."""

    code = "run_not_found"


class ScoreNotFound(StorageError):
    """No score has this id."""

    code = "score_not_found"


class WordTableNotFound(StorageError):
    """The score has no table of words: it is not of reading times, or older than these tables."""

    code = "word_table_not_found"


class UnitTableNotFound(StorageError):
    """The score has no table of units: it is not of brains, or a baseline's, or older than these tables."""

    code = "unit_table_not_found"


class AnalysisNotFound(StorageError):
    """No analysis has this id, or it was made so long ago that it is not kept any more."""

    code = "analysis_not_found"


class StudyNotFound(StorageError):
    """No study has this id."""

    code = "study_not_found"


class LineageCyclic(StorageError):
    """The model would be among its own ancestors."""

    code = "lineage_cyclic"


class ModelUnknown(StorageError):
    """No model of this id, or not at this revision, has been scored here yet."""

    code = "model_unknown"


class ModelExists(StorageError):
    """The name of an import has other content already, and the request does not say to replace it."""

    code = "model_exists"


class TooManyJobs(StorageError):
    """The API key has as many unfinished jobs as it may."""

    code = "too_many_jobs"
    retryable = True


class QuotaExceeded(StorageError):
    """What the API key brought has no room for this upload beside it."""

    code = "quota_exceeded"


class PageTokenInvalid(StorageError):
    """The page token did not come from an earlier page of this list."""

    code = "page_token_invalid"


class SortUnknown(StorageError):
    """The leaderboard has no column of this name to sort by."""

    code = "sort_unknown"


class DatabaseUnavailable(StorageError):
    """The database does not answer, is busy for too long, or has no tables yet."""

    code = "database_unavailable"
    retryable = True
