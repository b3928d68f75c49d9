"""Dockerfile and compose file, read and judged: no engine runs where these tests do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import artist
from api.looking import N_AT_ONCE
from scoring.subjects.look import MEMORY_BYTES
from worker.supervisor import STOP_TIMEOUT_S

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker", "worker-gpu")
WORKERS = ("worker", "worker-gpu")
KNOWN = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD", "EXPOSE"}
KNOWN |= {"HEALTHCHECK"}
PINNED = re.compile(r"[a-z/]+:\d+\.\d+[\w.\-]*")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|_KEY")


def instructions() -> list[tuple[str, str, str]]:
    """Every instruction of the Dockerfile: its stage, its word and the rest."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    stage, found = "", []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        stage = rest.rpartition(" AS ")[2] if word == "FROM" else stage
        found.append((stage, word, re.sub(r"\s+", " ", rest)))
    return found


def of_stage(stage: str) -> dict[str, str]:
    """The last instruction of each word that holds in a stage, those of the stages that it is made from included."""
    parents = {name: rest.split(" ")[0] for name, word, rest in instructions() if word == "FROM"}
    chain = [stage]
    while parents[chain[0]] in parents:
        chain.insert(0, parents[chain[0]])
    return {word: rest for name in chain for of, word, rest in instructions() if of == name}


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def volumes(service: dict[str, Any]) -> dict[str, str]:
    return dict(entry.split(":")[:2] for entry in service.get("volumes", []))


def test_the_dockerfile_holds_instructions_that_exist_and_the_two_targets() -> None:
    assert {word for _, word, _ in instructions()} <= KNOWN
    stages = [name for name, word, _ in instructions() if word == "FROM"]
    assert {"api", "worker"} <= set(stages)
    assert len(stages) == len(set(stages))


def test_base_images_are_pinned() -> None:
    defaults = dict(rest.split("=", 1) for _, word, rest in instructions() if word == "ARG" and "=" in rest)
    stages: set[str] = set()
    for name, word, rest in instructions():
        if word == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], rest.split(" ")[0])
            assert image in stages or PINNED.fullmatch(image), image
            stages.add(name)


def test_what_is_copied_exists_and_is_not_left_out_of_the_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf8").splitlines()
    given = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [rest.split(" ") for _, word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    sources = {source for parts in copied for source in parts[:-1]}
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert sources == given
    assert "*" in ignored


def test_every_package_of_the_project_is_in_both_images() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    for stage in ("build-api", "build-worker"):
        copied = {rest.split(" ")[0] for of, word, rest in instructions() if (of, word) == (stage, "COPY")}
        assert packages <= copied


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_runs_as_nobody_in_particular_and_hears_sigterm(target: str) -> None:
    holds = of_stage(target)
    assert holds["USER"] == "10001:10001"
    assert holds["STOPSIGNAL"] == "SIGTERM"
    assert holds["ENTRYPOINT"] == '["broca"]', "the exec form: a shell would swallow the signal"
    assert holds["CMD"].startswith("[")
    assert "CMD [" in holds["HEALTHCHECK"]


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_is_made_from_a_stage_that_builds_nothing(target: str) -> None:
    parents = [rest.split(" ")[0] for name, word, rest in instructions() if (name, word) == (target, "FROM")]
    assert parents == ["runtime"]
    runs = [rest for name, word, rest in instructions() if name in {"runtime", target} and word == "RUN"]
    assert not any(re.search(r"pip install|apt-get|gcc|build-essential", run) for run in runs)
    copied = [rest for name, word, rest in instructions() if (name, word) == (target, "COPY")]
    assert copied == [f"--from=build-{target} /opt/broca /opt/broca"]


def test_the_image_of_the_api_installs_nothing_that_reads_models() -> None:
    installs = [rest for name, word, rest in instructions() if name == "build-api" and word == "RUN"]
    assert not any(re.search(r"models|torch", run) for run in installs)
    assert any("-r server.txt" in run for run in installs)


def test_the_images_install_the_lists_of_the_extras(tmp_path: Path) -> None:
    (write,) = (rest for name, word, rest in instructions() if (name, word) == ("build", "RUN") and "tomllib" in rest)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf8"), "utf8")
    interpreter = f"{os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])}"
    subprocess.run(["sh", "-c", write], cwd=tmp_path, env={"PATH": interpreter}, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    for extra in ("server", "models"):
        listed = (tmp_path / f"{extra}.txt").read_text("utf8").splitlines()
        assert listed == [*project["dependencies"], *project["optional-dependencies"][extra]]
    installs = {name: rest for name, word, rest in instructions() if word == "RUN" and "-r server.txt" in rest}
    assert ["-r models.txt" in installs[name] for name in ("build-api", "build-worker")] == [False, True]


def test_everything_is_installed_in_the_versions_of_the_constraints() -> None:
    for _, word, rest in instructions():
        for command in rest.split("&&") if word == "RUN" else ():
            if " install " in command and "pip " in command and "--user-action" not in command:
                assert "constraints.txt" in command or "pip==" in command, command


def test_neither_file_holds_a_secret_or_the_address_of_a_registry() -> None:
    for _, word, rest in instructions():
        if word in {"ARG", "ENV"}:
            assert not SECRET.search(rest), rest
    assert not re.search(r"https?://(?!127\.0\.0\.1)", DOCKERFILE)
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not SECRET.search(variable) or re.fullmatch(r"\$\{\w+(:[-?][^}]*)?\}", value), (name, variable)
    example = (ROOT / ".env.example").read_text("utf8")
    assert re.search(r"^POSTGRES_PASSWORD=$", example, re.MULTILINE)
    assert re.search(r"^REDIS_PASSWORD=$", example, re.MULTILINE)
    assert ".env" in (ROOT / ".gitignore").read_text("utf8").splitlines()


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text("utf8")))
    offered = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text("utf8"), re.MULTILINE))
    assert asked == offered


def test_no_proxy_is_believed_unless_it_is_named() -> None:
    assert SERVICES["api"]["environment"]["FORWARDED_ALLOW_IPS"] == "${FORWARDED_ALLOW_IPS:-127.0.0.1}"


def test_all_looks_at_models_and_a_drawing_fit_beside_the_api() -> None:
    limit = SERVICES["api"]["deploy"]["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("g")) << 30 >= N_AT_ONCE * MEMORY_BYTES + artist.MEMORY_BYTES + (512 << 20)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert set(volumes(service)) <= set(COMPOSE["volumes"]), "named volumes only, nothing of the host"
    assert "healthcheck" in service or name in {"api", *WORKERS}, "those have the one of their image"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_a_service_comes_back_by_itself(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_only_the_api_is_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["${API_ADDRESS:-127.0.0.1}:${API_PORT:-8000}:8000"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert all(SERVICES[name]["networks"] == ["inside"] for name in ("postgres", "redis", "migrate"))


def test_redis_keeps_what_it_was_told_and_evicts_nothing() -> None:
    command = shlex.join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert volumes(SERVICES["redis"]) == {"redis": "/data"}


def test_redis_asks_for_a_password_that_only_its_clients_and_its_health_check_know() -> None:
    password = "${REDIS_PASSWORD:?set it in .env}"
    assert f"--requirepass {password}" in " ".join(SERVICES["redis"]["command"])
    assert SERVICES["redis"]["environment"] == {"REDISCLI_AUTH": password}
    assert f"redis://:{password}@redis:6379/0" == SERVICES["api"]["environment"]["BROCA_BROKER_URL"]


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_images_of_others_are_pinned(name: str) -> None:
    assert PINNED.fullmatch(SERVICES[name]["image"])


def test_the_hubs_token_is_given_to_workers_only() -> None:
    given = {name for name, service in SERVICES.items() if "HF_TOKEN" in service.get("environment", {})}
    assert given == set(WORKERS)


def test_everything_waits_for_the_migration_and_the_migration_for_the_database() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("api", *WORKERS):
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert waits["redis"] == {"condition": "service_healthy"}


def test_api_and_workers_see_the_same_data_folder_and_the_same_addresses() -> None:
    assert {volumes(SERVICES[name])["data"] for name in OURS} == {"/data"}
    shared = ("BROCA_DATABASE_URL", "BROCA_BROKER_URL", "BROCA_DATA_DIR")
    assert len({tuple(SERVICES[name]["environment"][variable] for variable in shared) for name in OURS}) == 1
    assert SERVICES["api"]["environment"]["BROCA_DATA_DIR"] == "/data"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_time_to_hand_its_runs_back(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) > 2 * STOP_TIMEOUT_S


def test_the_gpu_is_asked_for_by_name() -> None:
    worker = SERVICES["worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert all("profiles" not in SERVICES[name] for name in SERVICES if name != "worker-gpu")


@pytest.mark.parametrize("name", OURS)
def test_the_images_that_services_are_built_from_are_targets(name: str) -> None:
    build = SERVICES[name]["build"]
    assert build["target"] in {"api", "worker"}
    arguments = {rest.split("=")[0] for _, word, rest in instructions() if word == "ARG"}
    assert set(build.get("args", {})) <= arguments


def test_compose_itself_accepts_the_file_where_it_is_installed() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed here; the other tests read the file themselves")
    environment = {**os.environ, "POSTGRES_PASSWORD": "checked", "REDIS_PASSWORD": "checked"}
    command = [docker, "compose", "--profile", "gpu", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
