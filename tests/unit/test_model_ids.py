"""What a model may be called, and what no accepted name can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub.utils._validators import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ModelIdMalformed
from scoring.subjects.model_ids import Namespace, check_revision, is_commit_sha, parse

nearly_ids = st.text(alphabet="ab09./\\-_~:@ %\0\ngit", max_size=24) | st.text(max_size=12)
prefixed = st.tuples(st.sampled_from(["", "local/", "demo/", "untrained/", "imported/"]), nearly_ids).map("".join)


@pytest.mark.parametrize("model_id", ["gpt2", "openai-community/gpt2", "a/b.c_d-e", "EleutherAI/pythia-70m", "_a/b_"])
def test_an_id_of_the_hub_is_taken_as_it_stands(model_id: str) -> None:
    parsed = parse(model_id)
    assert (parsed.namespace, parsed.name, str(parsed)) == (Namespace.HUB, model_id, model_id)


@pytest.mark.parametrize(("model_id", "namespace"), [("local/my--model", "local"), ("demo/tiny", "demo")])
def test_a_reserved_namespace_is_told_from_an_organisation(model_id: str, namespace: str) -> None:
    parsed = parse(model_id)
    assert parsed.namespace == namespace
    assert str(parsed) == model_id


@pytest.mark.parametrize(
    "model_id",
    [
        *("", "/", "a/", "/a", "a/b/c", "..", "a/..", "a..b", "a--b", "-a", "a-", ".a", "a.", "a.git", "a b", "a\n"),
        *("a\0b", "a\\b", "https://huggingface.co/gpt2", "a@main", "é", "~", "x" * 97, "datasets/a/b"),
        *("local/", "local/..", "local/a/b", "local/.a", "local/a\0", "demo/", "demo/huge", "local//a"),
    ],
)
def test_what_the_hub_would_not_accept_is_malformed(model_id: str) -> None:
    with pytest.raises(ModelIdMalformed) as caught:
        parse(model_id)
    assert caught.value.hint
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("model_id", "namespace", "name", "seed"),
    [
        ("untrained/gpt2@0", Namespace.HUB, "gpt2", 0),
        ("untrained/org/name@2147483647", Namespace.HUB, "org/name", 2**31 - 1),
        ("untrained/local/stories260K@3", Namespace.LOCAL, "stories260K", 3),
        ("untrained/demo/tiny@10", Namespace.DEMO, "tiny", 10),
    ],
)
def test_an_untrained_twin_names_its_model_and_its_seed(
    model_id: str, namespace: Namespace, name: str, seed: int
) -> None:
    parsed = parse(model_id)
    assert parsed.inner is not None
    assert (parsed.namespace, parsed.seed, str(parsed)) == (Namespace.UNTRAINED, seed, model_id)
    assert (parsed.inner.namespace, parsed.inner.name) == (namespace, name)


@pytest.mark.parametrize(
    ("model_id", "words"),
    [
        ("untrained/gpt2", "names no seed"),
        ("baseline/oasm", "reserved"),
        ("untrained/baseline/oasm@0", "reserved"),
        ("untrained/gpt2@", "names no seed"),
        ("untrained/gpt2@-1", "names no seed"),
        ("untrained/gpt2@01", "names no seed"),
        ("untrained/gpt2@2147483648", "names no seed"),
        ("untrained/gpt2@\u0661", "names no seed"),
        ("untrained/@0", "cannot be the id"),
        ("untrained/gpt2@1@0", "cannot be the id"),
        ("untrained/untrained/gpt2@1@0", "cannot have an untrained twin"),
        ("untrained/imported/glove@0", "cannot have an untrained twin"),
        ("untrained/demo/huge@0", "no demonstration model"),
        ("imported/", "name of imported responses"),
        ("imported/a/b", "name of imported responses"),
        ("imported/..", "name of imported responses"),
        ("imported/.incoming", "name of imported responses"),
    ],
)
def test_what_is_wrong_with_a_reserved_name_is_said(model_id: str, words: str) -> None:
    with pytest.raises(ModelIdMalformed, match=words) as caught:
        parse(model_id)
    assert caught.value.hint


def test_what_was_imported_has_one_plain_name() -> None:
    assert str(parse("imported/glove.840B")) == "imported/glove.840B"


@given(prefixed)
def test_no_accepted_id_leaves_its_folder(model_id: str) -> None:
    try:
        parsed = parse(model_id)
    except ModelIdMalformed:
        return
    assert str(parsed) == model_id
    if parsed.inner is not None:
        assert model_id == f"untrained/{parsed.inner}@{parsed.seed}"
        parsed, model_id = parsed.inner, str(parsed.inner)
    assert not {"\\", "\0", "\n", ":", "%", "@"} & set(model_id)
    assert ".." not in model_id
    root = Path("/models")
    assert (root / parsed.name).resolve().is_relative_to(root)
    if parsed.namespace is Namespace.HUB:
        validate_repo_id(model_id)
    else:
        assert "/" not in parsed.name


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/1", "a" * 40, "step3000", "release+1"])
def test_a_branch_a_tag_and_a_commit_are_revisions(revision: str) -> None:
    assert check_revision(revision) == revision


@pytest.mark.parametrize(
    "revision", ["", "..", "a..b", "a b", "/a", "a/", "a//b", "a/.b", "-a", "a\0", "a\n", "x" * 129]
)
def test_what_git_would_not_name_is_no_revision(revision: str) -> None:
    with pytest.raises(ModelIdMalformed) as caught:
        check_revision(revision)
    assert caught.value.param == "revision"


@given(st.text(alphabet="ab/.\\-\0 ", max_size=12))
def test_no_accepted_revision_climbs(revision: str) -> None:
    try:
        check_revision(revision)
    except ModelIdMalformed:
        return
    assert (Path("/refs") / revision).resolve().is_relative_to("/refs")


def test_only_forty_hexadecimal_digits_are_a_commit() -> None:
    assert is_commit_sha("0123456789abcdef" * 2 + "01234567")
    assert not is_commit_sha("main")
    assert not is_commit_sha("A" * 40)
    assert not is_commit_sha("a" * 40 + "\n")
