"""Every form in which responses can be brought: what is taken from it, and what is refused with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from math import log
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from safetensors.numpy import save_file

from scoring.errors import ImportMalformed
from scoring.subjects.imports.content import Activations, Content, TokenSurprisals, WordSurprisals, WordVectors
from scoring.subjects.imports.limits import MAX_COLUMNS, MAX_LAYERS
from scoring.subjects.imports.manifest import Declaration, FileFormat, ImportKind, Manifest, Unit
from scoring.subjects.imports.reading import read_content, read_rows
from scoring.subjects.imports.tensors import read_text_vectors

VECTORS = Declaration(kind=ImportKind.WORD_VECTORS, format=FileFormat.TEXT)
TENSOR_VECTORS = Declaration(kind=ImportKind.WORD_VECTORS, format=FileFormat.SAFETENSORS)
NATS = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.CSV, unit=Unit.NATS)
BITS = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.CSV, unit=Unit.BITS)
PARQUET = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.PARQUET, unit=Unit.BITS)
FEATURES = Declaration(kind=ImportKind.ACTIVATIONS, format=FileFormat.CSV)
TENSORS = Declaration(kind=ImportKind.ACTIVATIONS, format=FileFormat.SAFETENSORS)

MAX_BYTES = 2**27
"""What a file may have in these tests."""


def read(folder: Path, content: str | bytes, declared: Declaration) -> Content:
    path = folder / "data"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_content(path, declared, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("header", ["", "3 2\n"])
def test_text_vectors_are_taken_with_and_without_a_first_line_of_counts(tmp_path: Path, header: str) -> None:
    found = read(tmp_path, header + "the 1 2\nnew york 3 4\n, 5.5 -6e-1 \n", VECTORS)
    assert isinstance(found, WordVectors)
    assert dict(found.rows) == {"the": 0, "new york": 1, ",": 2}
    np.testing.assert_array_equal(found.vectors, np.array([[1, 2], [3, 4], [5.5, -0.6]], dtype=np.float32))
    assert (found.n_rows, found.n_layers, found.width) == (3, 1, 2)


def test_only_the_wanted_vectors_are_kept(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a 1 2\nb 3 4\nc 5 6\n")
    found = read_text_vectors(tmp_path / "data", {"b", "z"})
    assert (dict(found.rows), found.vectors.tolist(), found.n_rows) == ({"b": 0}, [[3.0, 4.0]], 3)
    assert read_text_vectors(tmp_path / "data", {"z"}).vectors.shape == (0, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "0 vectors"),
        ("the 1 2\nthe 3 4\n", "'the' stands in line 2 for the second time"),
        ("the 1 2\na 3\n", "line 2 is not a word and 2 numbers"),
        ("the 1 2\na 3 x\n", "line 2 does not end with 2 numbers"),
        ("the 1 2\na 3 nan\n", "line 2 holds a number that is not finite"),
        ("the 1 2\na 3 1e39\n", "line 2 holds a number that is not finite"),
        ("3 2\nthe 1 2\n", "1 vectors, the first line says 3"),
        ("the\n", "line 1 is not a word"),
        ("\u00b2 3\nthe 1 2 3\n", "line 1 states counts that cannot be read"),
        (f"{'9' * 5000} 3\nthe 1 2 3\n", "line 1 states counts that cannot be read"),
        (b"the 1 2\n\xff 1 2\n", "UTF-8"),
    ],
)
def test_text_vectors_that_are_not_are_refused_with_the_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(ImportMalformed, match=words):
        read(tmp_path, content, VECTORS)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_vectors_as_safetensors_bring_their_words(tmp_path: Path, as_tensor: bool) -> None:
    words = json.dumps(["the", "é"])
    vectors = np.array([[1, 2], [3, 4]], dtype=np.float16)
    tensors = {"vectors": vectors}
    if as_tensor:
        tensors["words"] = np.frombuffer(words.encode(), dtype=np.uint8)
    save_file(tensors, tmp_path / "data", metadata=None if as_tensor else {"words": words})
    found = read_content(tmp_path / "data", TENSOR_VECTORS, max_bytes=MAX_BYTES)
    assert isinstance(found, WordVectors)
    assert dict(found.rows) == {"the": 0, "é": 1}
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, vectors)


@pytest.mark.parametrize(
    ("words", "vectors", "message"),
    [
        (["a", "a"], np.ones((2, 2), np.float32), "'a' stands in row 1 and again in row 2"),
        (["a"], np.ones((2, 2), np.float32), "does not fit 1 words"),
        (["a", "b"], np.array([[1, 2], [3, np.inf]], np.float32), "row 2 of the tensor 'vectors'"),
        (["a", "b"], np.ones((2, 2), np.int32), "of type I32"),
        ([1, 2], np.ones((2, 2), np.float32), "not a JSON list of texts"),
        ([], np.ones((2, 2), np.float32), "no list of words"),
    ],
)
def test_vectors_as_safetensors_that_contradict_themselves_are_refused(
    tmp_path: Path, words: list[object], vectors: np.ndarray, message: str
) -> None:
    save_file({"vectors": vectors}, tmp_path / "data", metadata={"words": json.dumps(words)})
    with pytest.raises(ImportMalformed, match=message):
        read_content(tmp_path / "data", TENSOR_VECTORS, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("declared", [TENSOR_VECTORS, TENSORS])
def test_bytes_that_are_no_safetensors_are_refused(tmp_path: Path, declared: Declaration) -> None:
    with pytest.raises(ImportMalformed, match="not in the format"):
        read(tmp_path, b"\xff" * 100, declared)


def test_word_surprisals_are_named_by_id_or_by_story_and_zone(tmp_path: Path) -> None:
    by_id = read(tmp_path, "stimulus_id,surprisal,more\n001,2.5,x\nb,,y\n", BITS)
    assert isinstance(by_id, WordSurprisals)
    assert by_id.ids == ("001", "b")
    np.testing.assert_array_equal(by_id.bits, [2.5, np.nan])
    by_zone = read(tmp_path, f"story,zone,word,logprob\n1,1,If,{-log(8)}\n1,2,NA,0\n", NATS)
    assert isinstance(by_zone, WordSurprisals)
    assert (by_zone.ids, by_zone.words) == (("1.1", "1.2"), ("If", "NA"))
    np.testing.assert_allclose(by_zone.bits, [3, 0], atol=1e-12)


def test_token_surprisals_keep_tokens_as_they_stand(tmp_path: Path) -> None:
    table = 'token,logprob,offset,story,model\n"""If",,0,0,m\n" you,",-1.5,3,0,m\nOnce,-2,0,1,m\n'
    found = read(tmp_path, table, NATS)
    assert isinstance(found, TokenSurprisals)
    assert found.tokens == ('"If', " you,", "Once")
    np.testing.assert_allclose(found.bits, np.array([np.nan, 1.5, 2]) / log(2))
    assert found.stories.tolist() == [0, 0, 1]


def test_parquet_holds_the_same_as_csv(tmp_path: Path) -> None:
    declared = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.PARQUET, unit=Unit.BITS)
    table = pa.table({"story": [1, 1], "zone": [1, 2], "surprisal": pa.array([None, 2.0]), "x": [[1], [2]]})
    parquet.write_table(table, tmp_path / "data")
    found = read_content(tmp_path / "data", declared, max_bytes=MAX_BYTES)
    assert isinstance(found, WordSurprisals)
    assert found.ids == ("1.1", "1.2")
    np.testing.assert_array_equal(found.bits, [np.nan, 2])
    with pytest.raises(ImportMalformed, match="not a Parquet table"):
        read(tmp_path, "story,zone\n", declared)


def write_repeated(path: Path, text: str, n_rows: int) -> None:
    """A Parquet table that holds one text once and says n_rows times that it is the stimulus' id."""
    ids = pa.DictionaryArray.from_arrays(np.zeros(n_rows, dtype=np.int32), pa.array([text]))
    parquet.write_table(
        pa.table({"stimulus_id": ids, "surprisal": np.ones(n_rows)}), path, compression="zstd", write_statistics=False
    )
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize(
    ("n_characters", "n_rows", "words"),
    [
        (6_400_000, 1024, "cannot be unpacked with memory for 33554432 bytes"),
        (100_000_000, 2, "cannot be unpacked with memory for 33554432 bytes"),
        (10_000, 5_000, "unpacks to more than 33554432 bytes"),
        (1, 2**20 + 1, "has 1048577 rows; at most 1048576 are read"),
    ],
)
def test_a_small_table_that_unpacks_to_much_is_refused_in_little_memory(
    tmp_path: Path, n_characters: int, n_rows: int, words: str
) -> None:
    write_repeated(tmp_path / "data", "x" * n_characters, n_rows)
    code = """if True:
        import resource, sys
        from pathlib import Path
        from scoring.errors import ImportMalformed
        from scoring.subjects.imports.manifest import Declaration, FileFormat, ImportKind, Unit
        from scoring.subjects.imports.reading import read_content
        resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))
        declared = Declaration(kind=ImportKind.SURPRISALS, format=FileFormat.PARQUET, unit=Unit.BITS)
        try:
            read_content(Path(sys.argv[1]), declared, max_bytes=2**29)
        except ImportMalformed as error:
            print(error)
    """
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert words in done.stdout


def test_a_table_never_unpacks_to_more_than_a_file_may_have(tmp_path: Path) -> None:
    write_repeated(tmp_path / "data", "x" * 1000, 5_000)
    with pytest.raises(ImportMalformed, match="unpacks to more than 4000000 bytes"):
        read_content(tmp_path / "data", PARQUET, max_bytes=4_000_000)
    with pytest.raises(ImportMalformed, match="stands in row 1 and again in row 2"):
        read_content(tmp_path / "data", PARQUET, max_bytes=40_000_000)
    (tmp_path / "data").write_text("stimulus_id,layer,a,b\n" + "s,x,1,1\n" * 100)
    with pytest.raises(ImportMalformed, match="has 404 cells; at most 250 are read"):
        read_content(tmp_path / "data", FEATURES, max_bytes=1000)


def test_an_accepted_table_is_read_as_it_was_when_it_came(tmp_path: Path) -> None:
    table = pa.table({"stimulus_id": ["a", "b"], "surprisal": [1, 2], "word": ["x", "y"]})
    parquet.write_table(table, tmp_path / "data")
    came, again = read_content(tmp_path / "data", PARQUET, max_bytes=MAX_BYTES), read_rows(tmp_path / "data", PARQUET)
    assert isinstance(came, WordSurprisals)
    assert isinstance(again, WordSurprisals)
    assert (came.ids, came.words, came.bits.tolist()) == (("a", "b"), ("x", "y"), [1, 2])
    assert (again.ids, again.words, again.bits.tolist()) == (came.ids, came.words, came.bits.tolist())


def test_the_reader_of_uploaded_parquet_gets_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nenv > '{tmp_path}/environment'\necho '{{\"detail\": \"seen\"}}' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("BROCA_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(ImportMalformed, match="seen"):
        read(tmp_path, b"PAR1", PARQUET)
    environment = (tmp_path / "environment").read_text()
    assert "PATH=" in environment
    assert "hf_secret" not in environment
    assert "//secret" not in environment


def test_parquet_that_does_not_hold_a_value_in_each_row_is_refused(tmp_path: Path) -> None:
    for values, words in (([[1.0], [2.0]], "holds lists or records"), (["x", "y"], "does not hold what it has to")):
        parquet.write_table(pa.table({"stimulus_id": ["a", "b"], "surprisal": values}), tmp_path / "data")
        with pytest.raises(ImportMalformed, match=words):
            read_content(tmp_path / "data", PARQUET, max_bytes=MAX_BYTES)


def test_a_damaged_parquet_file_is_malformed_wherever_the_damage_is(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"stimulus_id": ["a", "b"], "surprisal": [1.0, 2.0]}), tmp_path / "data")
    whole = (tmp_path / "data").read_bytes()
    for place in range(4, len(whole), len(whole) // 12):
        damaged = bytearray(whole)
        damaged[place : place + 4] = b"\xff" * 4
        try:
            read(tmp_path, bytes(damaged), PARQUET)
        except ImportMalformed:
            continue


def table_of(n_columns: int) -> str:
    names = ",".join(f"f{place}" for place in range(n_columns))
    return f"stimulus_id,layer,{names}\na,x{',1' * n_columns}\n"


def test_a_table_with_as_many_columns_as_may_be_is_read_and_a_wider_one_refused(tmp_path: Path) -> None:
    found = read(tmp_path, table_of(MAX_COLUMNS - 2), FEATURES)
    assert found.width == MAX_COLUMNS - 2
    with pytest.raises(ImportMalformed, match=f"has {MAX_COLUMNS + 1} columns; at most {MAX_COLUMNS} are read"):
        read(tmp_path, table_of(MAX_COLUMNS - 1), FEATURES)


def test_a_wide_parquet_table_is_read_and_a_wider_one_refused(tmp_path: Path) -> None:
    wide = {f"f{place}": np.ones(1, dtype=np.float32) for place in range(10_000)}
    parquet.write_table(pa.table({"stimulus_id": ["a"], "layer": ["x"], **wide}), tmp_path / "data")
    declared = Declaration(kind=ImportKind.ACTIVATIONS, format=FileFormat.PARQUET)
    assert read_content(tmp_path / "data", declared, max_bytes=MAX_BYTES).width == 10_000


def test_the_numbers_of_layers_and_tensors_are_bounded(tmp_path: Path) -> None:
    rows = "".join(f"a,layer{place},1\n" for place in range(MAX_LAYERS + 1))
    with pytest.raises(ImportMalformed, match=f"layers or more; at most {MAX_LAYERS} are read"):
        read(tmp_path, "stimulus_id,layer,f\n" + rows, FEATURES)
    layers = {f"layer{place}": np.ones((1, 1), np.float32) for place in range(MAX_LAYERS + 2)}
    write_layers(tmp_path / "data", layers, stimulus_ids=["a"])
    with pytest.raises(ImportMalformed, match=f"has {MAX_LAYERS + 2} tensors; at most {MAX_LAYERS + 1} are read"):
        read_content(tmp_path / "data", TENSORS, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("stimulus_id,surprisal\n", "no rows"),
        ("stimulus_id\na\n", "exactly one of the columns"),
        ("stimulus_id,surprisal,logprob\na,1,1\n", "exactly one of the columns"),
        ("story,surprisal\n1,1\n", "no column zone"),
        ("token,surprisal,story\na,1,0\n", "no column offset"),
        ("stimulus_id,stimulus_id,surprisal\na,b,1\n", "two columns 'stimulus_id'"),
        ("stimulus_id,surprisal\na,1\na,2\n", "'a' stands in row 1 and again in row 2"),
        ("stimulus_id,surprisal\na,1\nb,nan\n", "row 2 of column 'surprisal'.*not finite"),
        ("stimulus_id,surprisal\na,1\nb,inf\n", "row 2 of column 'surprisal'.*not finite"),
        ("stimulus_id,surprisal\na,1\nb,-2\n", "row 2 has a probability above 1"),
        ("stimulus_id,logprob\na,1\n", "row 1 has a probability above 1"),
        ("stimulus_id,surprisal\na,1\nb,many\n", "row 2 does not hold"),
        ("stimulus_id,surprisal\na,1\nb\n", "row 2 does not have the columns of the header"),
        ("token,logprob,offset,story\na,-1,0,0\nb,-1,2,0\n", "row 2 has the offset 2.* have 1 characters"),
        ("token,logprob,offset,story\na,-1,x,0\n", "row 1 does not hold"),
        ("token,logprob,offset,story\na,-1,0,first\n", "row 1 has no number from 0 in column 'story'"),
        ("token,logprob,offset,story\na,-1,0.5,0\n", "row 1 has no number from 0 in column 'offset'"),
        ("stimulus_id,surprisal\na,1\nb,1000.5\n", "row 2 has a surprisal above 1000 bits"),
        ("token,logprob,offset,story\na,-1001,0,0\n", "row 1 has a surprisal above 1000 bits"),
        (f"stimulus_id,surprisal,{'x' * 140_000}\na,1,2\n", "the header cannot be read: field larger"),
        (b"stimulus_id,surprisal\n\xff,1\n", "does not hold|UTF-8"),
    ],
)
def test_surprisals_that_are_not_are_refused_with_the_row(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(ImportMalformed, match=words):
        read(tmp_path, content, BITS)


def test_activations_of_a_table_are_layers_in_the_order_of_the_file(tmp_path: Path) -> None:
    table = "stimulus_id,layer,f0,f1\na,top,1,2\nb,top,3,4\nb,low,7,8\na,low,5,6\n"
    found = read(tmp_path, table, FEATURES)
    assert isinstance(found, Activations)
    assert (found.stimulus_ids, list(found.layers)) == (("a", "b"), ["top", "low"])
    assert found.layers["low"].tolist() == [[5, 6], [7, 8]]
    assert found.layers["low"].dtype == np.float32
    assert (found.n_rows, found.n_layers, found.width) == (2, 2, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("stimulus_id,layer\na,x\n", "no features"),
        ("stimulus_id,f\na,1\n", "no column layer"),
        ("stimulus_id,layer,f\na,x,1\na,x,2\n", "'a' of layer 'x' stands in row 1 and again in row 2"),
        ("stimulus_id,layer,f\na,x,1\nb,x,2\na,y,3\n", "same stimuli: 'b' and layer 'y'"),
        ("stimulus_id,layer,f\na,x,1\nb,x,\n", "row 2 has no value in column 'f'"),
        ("stimulus_id,layer,f\na,x,1\nb,x,nan\n", "row 2 of column 'f'.*not finite"),
        ("stimulus_id,layer,f\na,x,1\nb,x,1e39\n", "row 2 of column 'f'.*not finite"),
    ],
)
def test_activations_that_are_not_are_refused_with_the_row(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(ImportMalformed, match=words):
        read(tmp_path, content, FEATURES)


def write_layers(path: Path, tensors: dict[str, np.ndarray], **metadata: object) -> None:
    save_file(tensors, path, metadata={name: json.dumps(value) for name, value in metadata.items()})


def test_layers_of_safetensors_stand_in_the_order_of_depth(tmp_path: Path) -> None:
    names = ["final_norm", "block.10", "block.2", "embed"]
    layers = {name: np.full((2, 3), place, np.float32) for place, name in enumerate(names)}
    write_layers(tmp_path / "data", layers, stimulus_ids=["a", "b"])
    found = read_content(tmp_path / "data", TENSORS, max_bytes=MAX_BYTES)
    assert isinstance(found, Activations)
    assert list(found.layers) == ["embed", "block.2", "block.10", "final_norm"]
    assert found.layers["block.10"].tolist() == [[1] * 3] * 2
    write_layers(tmp_path / "data", layers, stimulus_ids=["a", "b"], layers=names)
    stated = read_content(tmp_path / "data", TENSORS, max_bytes=MAX_BYTES)
    assert isinstance(stated, Activations)
    assert list(stated.layers) == names


@pytest.mark.parametrize(
    ("layers", "metadata", "words"),
    [
        ({"x": np.ones((2, 2), np.float32)}, {}, "no list of stimulus_ids"),
        ({"x": np.ones((3, 2), np.float32)}, {"stimulus_ids": ["a", "b"]}, r"'x' has the shape \(3, 2\)"),
        ({"x": np.ones(2, np.float32)}, {"stimulus_ids": ["a", "b"]}, r"'x' has the shape \(2,\)"),
        ({"x": np.ones((2, 2), np.float32)}, {"stimulus_ids": ["a", "a"]}, "row 1 and again in row 2"),
        ({"x": np.array([[1], [np.nan]], np.float32)}, {"stimulus_ids": ["a", "b"]}, "row 2 of the tensor 'x'"),
        ({"x": np.ones((1, 2), np.float32)}, {"stimulus_ids": ["a"], "layers": ["y"]}, "does not name the 1 tensors"),
    ],
)
def test_layers_of_safetensors_that_contradict_themselves_are_refused(
    tmp_path: Path, layers: dict[str, np.ndarray], metadata: dict[str, object], words: str
) -> None:
    write_layers(tmp_path / "data", layers, **metadata)
    with pytest.raises(ImportMalformed, match=words):
        read_content(tmp_path / "data", TENSORS, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"kind": ImportKind.SURPRISALS, "format": FileFormat.CSV}, "unit"),
        ({"kind": ImportKind.ACTIVATIONS, "format": FileFormat.CSV, "unit": Unit.BITS}, "unit"),
        ({"kind": ImportKind.WORD_VECTORS, "format": FileFormat.CSV}, "format"),
        ({"kind": ImportKind.SURPRISALS, "format": FileFormat.TEXT, "unit": Unit.BITS}, "format"),
        ({"kind": ImportKind.ACTIVATIONS, "format": FileFormat.CSV, "source": "a\nb"}, "source"),
        ({"kind": ImportKind.ACTIVATIONS, "format": FileFormat.CSV, "source": "x" * 1001}, "source"),
    ],
)
def test_an_incomplete_or_contradictory_declaration_is_refused(said: dict[str, object], param: str) -> None:
    with pytest.raises(ImportMalformed) as caught:
        Declaration(**said)  # type: ignore[arg-type]
    assert caught.value.param == param


def test_the_revision_follows_file_and_declaration_and_not_the_time(tmp_path: Path) -> None:
    def manifest(**changes: object) -> Manifest:
        said: dict[str, object] = {"kind": ImportKind.SURPRISALS, "format": FileFormat.CSV, "unit": Unit.BITS}
        found = {"sha256": "00", "n_bytes": 1, "n_rows": 1, "n_layers": None, "width": None, "created": "now"}
        return Manifest(**{**said, **found, **changes})  # type: ignore[arg-type]

    first = manifest()
    assert len(first.revision) == 40
    assert manifest(created="later").revision == first.revision
    others = ({"sha256": "01"}, {"unit": Unit.NATS}, {"source": "me"}, {"allow_mismatch": True})
    assert len({first.revision, *(manifest(**change).revision for change in others)}) == 5
    first.write(tmp_path)
    assert Manifest.read(tmp_path) == first
