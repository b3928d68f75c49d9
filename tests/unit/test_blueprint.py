"""Which models have the same untrained twins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.subjects import demo_model
from scoring.subjects.blueprint import blueprint_of

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "original"
    demo_model.build(folder)
    return folder


@pytest.fixture
def changed(original: Path, tmp_path: Path) -> Make:
    """A copy of the model with other fields in one of its JSON files."""

    def change(file: str, **fields: object) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(original, folder)
        document = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(document | fields, indent=7))
        return folder

    return change


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"_name_or_path": "elsewhere"},
        {"torch_dtype": "float16"},
        {"transformers_version": "9"},
        {"use_cache": False},
    ],
)
def test_what_is_said_of_training_and_storage_changes_nothing(
    original: Path, changed: Make, fields: dict[str, object]
) -> None:
    assert blueprint_of(changed("config.json", **fields)) == blueprint_of(original)


def test_weights_are_no_part_of_a_blueprint(original: Path, changed: Make) -> None:
    folder = changed("config.json")
    (folder / "model.safetensors").unlink()
    assert blueprint_of(folder) == blueprint_of(original)


@pytest.mark.parametrize(
    "fields", [{"hidden_size": 128}, {"initializer_range": 0.5}, {"bos_token_id": 7}, {"a_field_of_tomorrow": 1}]
)
def test_another_architecture_is_another_blueprint(original: Path, changed: Make, fields: dict[str, object]) -> None:
    assert blueprint_of(changed("config.json", **fields)) != blueprint_of(original)


def test_another_tokenizer_is_another_blueprint(original: Path, changed: Make) -> None:
    assert blueprint_of(changed("tokenizer.json", normalizer={"type": "Lowercase"})) != blueprint_of(original)


def test_a_tokenizer_read_otherwise_is_another_blueprint(original: Path, changed: Make) -> None:
    assert blueprint_of(changed("tokenizer_config.json", add_bos_token=False)) != blueprint_of(original)
