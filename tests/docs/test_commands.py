"""Every command that the documentation shows is run, page by page, and prints what is shown."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.subjects import demo_model
from tests.docs.blocks import PAGES, blocks_of, name_of
from tests.docs.preparations import DEMO, PICKLED, PREPARATIONS, Preparation
from tests.docs.running import reading
from tests.fake_hub import FakeHub

RUNNABLE = {name_of(page): page for page in PAGES if any(block.is_run for block in blocks_of(page))}
LONGEST_FIRST = sorted(RUNNABLE, key=lambda name: -sum(block.takes_part for block in blocks_of(RUNNABLE[name])))

MakeModel = Callable[[str], Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Gives the folder of a tiny model of a kind; each is made once."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("models") / kind
            write_kind(made[kind], kind)
        return made[kind]

    return make


def write_kind(folder: Path, kind: str) -> None:
    """A tiny model in `folder`."""
    if kind == DEMO:
        demo_model.build(folder)
        return
    from tests.models import write_model

    write_model(folder, "opt" if kind == PICKLED else kind)
    if kind == PICKLED:
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page does must not follow from the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("BROCA_") or name == "HF_TOKEN"]:
        monkeypatch.delenv(name)


@pytest.fixture
def prepared(make_model: MakeModel, hub: FakeHub, tmp_path: Path) -> Callable[[Preparation], dict[str, str]]:
    """Puts the models of a preparation in place; the settings of the hub that serves them."""

    def put(preparation: Preparation) -> dict[str, str]:
        for name, kind in preparation.hub.items():
            hub.add(name, make_model(kind))
        for name, kind in preparation.local.items():
            shutil.copytree(make_model(kind), tmp_path / "here" / "models" / name)
        return {"HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1,localhost"}

    return put


@pytest.mark.parametrize("name", LONGEST_FIRST)
def test_the_commands_of_a_page_do_what_it_says(
    name: str, prepared: Callable[[Preparation], dict[str, str]], tmp_path: Path
) -> None:
    preparation = PREPARATIONS.get(name, Preparation())
    with reading(tmp_path, preparation, prepared(preparation)) as reader:
        for block in blocks_of(RUNNABLE[name]):
            if block.takes_part:
                reader.follow(block)
