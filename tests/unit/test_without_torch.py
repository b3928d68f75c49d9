"""The web process where nothing that reads models is installed, as in its image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.own_data import write_dataset

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
MODULES = ("torch", "transformers", "peft", "accelerate", "sentencepiece", "tokenizers", "google")

WITHOUT = f"""
import importlib.machinery as machinery
import sys

class Without(machinery.PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None if fullname.split(".")[0] in {MODULES!r} else super().find_spec(fullname, path, target)

sys.meta_path[sys.meta_path.index(machinery.PathFinder)] = Without
"""

USE = """
import importlib.util, json, shutil, sys
from pathlib import Path
from starlette.testclient import TestClient
from api.app import create_app
from api.settings import ApiSettings
from storage.engine import Database

home, recording = Path(sys.argv[1]), sys.argv[2]
settings = ApiSettings(data_dir=home)
Database(settings.resolved_database_url).migrate()
with TestClient(create_app(settings)) as client:
    asked = {"model": "demo/tiny", "benchmarks": ["demo-fmri", "demo-reading"]}
    packed = Path(shutil.make_archive(str(home / "tales"), "zip", recording)).read_bytes()
    headers = {"Content-Type": "application/octet-stream"}
    added = client.post("/v1/benchmarks", params={"id": "own/tales"}, content=packed, headers=headers)
    print(json.dumps({
        "torch": importlib.util.find_spec("torch") is not None,
        "submitted": client.post("/v1/jobs", json=asked).status_code,
        "added": added.status_code,
        "ceilings": added.json()["ceilings"],
        "read": [client.get(path).status_code for path in ("/readyz", "/v1/leaderboard", "/v1/benchmarks", "/metrics")],
    }))
"""


def test_what_the_images_install_is_everything_that_runs_a_service() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["all"] == ["broca[models,notebook,server]"]
    named = {name: {re.split(r"[\[>=;]", one)[0] for one in found} for name, found in extras.items()}
    assert named["notebook"] <= named["server"], "an image that serves is also one to look at results with"
    assert named["models"] & named["server"] == set()
    assert {"torch", "transformers"} <= named["models"]


def test_the_api_serves_and_takes_data_in_where_torch_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    recording = write_dataset(tmp_path / "recording")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    command = [sys.executable, "-c", USE, str(tmp_path / "home"), str(recording)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["torch"]
    assert (found["submitted"], found["added"], found["read"]) == (202, 201, [200] * 4), found
    assert found["ceilings"] == {}, "what fits is not here: the first score brings the ceiling"
