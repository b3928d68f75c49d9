"""The documentation says what the code does: trees, tables, codes, commands and endpoints are compared with it."""

import re
import subprocess
from pathlib import Path

import pytest
import typer
from pydantic_core import PydanticUndefined

from api.app import create_app
from api.errors import ApiError, error_codes
from api.problems import STATUS_BY_CODE
from api.requests import ImportQuery
from api.settings import ApiSettings
from broca import cli
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.manifest import dataset_named
from scoring.errors import ScoringError
from scoring.protocols import PROTOCOLS
from scoring.registry import Shelf, names
from scoring.subjects.families.base import families, supported_model_types
from storage.errors import StorageError
from storage.settings import StorageSettings
from worker.queue import QueueSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SETTINGS = (StorageSettings, QueueSettings, ApiSettings, WorkerSettings)
CODES_OF_THE_CLIENT = {
    "server_unreachable",
    "wait_timed_out",
    "cannot_rerun",
    "answer_not_understood",
    "file_unusable",
    "setting_invalid",
    "package_missing",
    "no_client",
    "chart_unknown",
}

CODES_OF_WARNINGS = {"surprisal_missing"}
"""Those that end as errors do; the reference of measures has all of them."""


def page(name):
    return (ROOT / name).read_text("utf8")


def tables(text):
    """Rows of all tables of a page as lists of cells, headings and rulers left out."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [cells for cells in split if not set("".join(cells)) <= {"-"}]


def sections(text, level):
    """The text under each heading of a level, up to the next heading."""
    parts = re.split(r"^(#+) (.*)$", text, flags=re.MULTILINE)[1:]
    return {title: body for mark, title, body in zip(*[iter(parts)] * 3, strict=True) if len(mark) == level}


def code_blocks(text):
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def code_spans(text):
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def tracked():
    """Files that git knows; the test is skipped where the tree is not a checkout."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this tree is not a git checkout")
    return [Path(line) for line in listing.stdout.splitlines()]


def shown_tree():
    """The paths in the README's tree; folders end with a slash."""
    tree = next(body for language, body in code_blocks(README.read_text("utf8")) if language == "text")
    folders, found = [], []
    for line in tree.splitlines():
        indent, name = re.match(r"([│├└─ ]*)(\S+)", line).groups()
        folders[len(indent) // 4 :] = [name]
        found.append("".join(folders))
    return found


def commands(command, path=()):
    """Every command of the app with its options that are shown."""
    if not hasattr(command, "commands"):
        options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        hidden = {name for option in command.params if getattr(option, "hidden", False) for name in option.opts}
        yield " ".join(path), {name for name in options - hidden if name.startswith("-")}
        return
    if path and command.invoke_without_command:
        yield " ".join(path), {name for option in command.params for name in option.opts if name.startswith("-")}
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


def test_the_readme_shows_the_two_commands_before_any_other():
    language, body = code_blocks(README.read_text("utf8"))[0]
    assert language == "bash"
    assert [line.split("#")[0].strip() for line in body.splitlines()] == ["make demo", "make test"]


def test_the_tree_shows_exactly_what_lies_at_the_top():
    top = {f"{path.parts[0]}/" if len(path.parts) > 1 else path.name for path in tracked()}
    assert {path for path in shown_tree() if "/" not in path.removesuffix("/")} == top


def test_the_tree_shows_folders_that_exist_and_every_package():
    shown = {path for path in shown_tree() if path.endswith("/")}
    assert [path for path in shown if not (ROOT / path).is_dir()] == []
    packages = {f"{path.parent}/" for path in tracked() if path.name == "__init__.py"}
    assert packages - shown == set()


def shown_default(field):
    if field.default is PydanticUndefined:
        return f"`~/{field.default_factory().relative_to(Path.home())}`"
    return "–" if field.default is None else f"`{field.default}`"


def settings_of(*classes):
    """Names of settings with default and description, as a table shows them."""
    fields = {name: field for settings in classes for name, field in settings.model_fields.items()}
    return {f"BROCA_{name.upper()}": [shown_default(field), field.description] for name, field in fields.items()}


def test_the_tables_of_settings_are_those_of_the_classes():
    shared, api, worker = (settings_of(*classes) for classes in (SETTINGS[:2], SETTINGS[2:3], SETTINGS[3:]))
    of_both = {name for name in api if name in worker}
    expected = {
        "Server and workers": {**shared, **{name: api[name] for name in of_both}},
        "Server": {name: row for name, row in api.items() if name not in of_both},
        "Workers": {name: row for name, row in worker.items() if name not in of_both},
    }
    found = sections(page("docs/reference/settings.md"), 2)
    said = {
        title: {cells[0].strip("`"): cells[1:] for cells in tables(found[title]) if "`BROCA_" in cells[0]}
        for title in expected
    }
    assert said == expected


def test_the_readme_leads_to_the_settings():
    assert "(docs/reference/settings.md)" in README.read_text("utf8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_settings_that_pages_mention_exist(path):
    known = {f"BROCA_{name.upper()}" for settings in SETTINGS for name in settings.model_fields} | {
        "BROCA_URL",
        "BROCA_API_KEY",
    }
    assert set(re.findall(r"BROCA_[A-Z_]*[A-Z]", path.read_text("utf8"))) - known == set()


def test_settings_shared_by_processes_mean_the_same():
    for name in set(ApiSettings.model_fields) & set(WorkerSettings.model_fields):
        api, worker = ApiSettings.model_fields[name], WorkerSettings.model_fields[name]
        assert (api.description, api.default) == (worker.description, worker.default)


def error_rows():
    return {cells[0].strip("`"): cells[1:] for cells in tables(page("docs/reference/errors.md")) if "`" in cells[0]}


def errors_by_code():
    pending, found = [ScoringError, StorageError, ApiError], {}
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        if "code" in error.__dict__:
            found.setdefault(error.code, []).append(error)
    return found


def test_the_table_of_codes_is_that_of_the_api():
    assert {code: cells[0] for code, cells in error_rows().items()} == error_codes()
    assert list(error_rows()) == sorted(error_rows())


@pytest.mark.parametrize(("code", "errors"), sorted(errors_by_code().items()))
def test_statuses_and_retries_of_codes_are_those_of_their_classes(code, errors):
    if code not in error_codes():
        return
    _, status, retryable = error_rows()[code]
    of_api = [str(error.status) for error in errors if issubclass(error, ApiError)]
    of_storage = [str(STATUS_BY_CODE.get(code, 422)) for error in errors if issubclass(error, StorageError)]
    assert all(number in status for number in of_api + of_storage)
    assert of_api or of_storage or status in {"–", str(STATUS_BY_CODE.get(code, 422))} or code == "internal"
    if code != "internal":
        assert retryable == ("yes" if any(error.retryable for error in errors) else "no")


@pytest.mark.parametrize(
    "path", [path for path in PAGES if path.parent.name != "decisions"], ids=lambda path: path.name
)
def test_codes_that_pages_mention_exist(path):
    """Words that look like an error's code: those that end like one. Decisions speak of other programs' names too."""
    endings = {code.rsplit("_", 1)[1] for code in error_codes() if "_" in code}
    known = set(error_codes()) | CODES_OF_THE_CLIENT | CODES_OF_WARNINGS
    spans = [span for span in code_spans(path.read_text("utf8")) if re.fullmatch(r"[a-z]+(_[a-z]+)+", span)]
    settings = {name for settings in SETTINGS for name in settings.model_fields}
    suspects = {span for span in spans if span.rsplit("_", 1)[1] in endings} - settings - set(ImportQuery.model_fields)
    assert {name for name in suspects if not name.startswith("broca_")} - known == set(), "metrics begin with broca_"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path):
    prose = re.sub(r"^```.*?^```$", "", path.read_text("utf8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{path.name} links to {link}"
        assert target.is_relative_to(ROOT)
        headings = re.findall(r"^#+ (.*)$", target.read_text("utf8"), flags=re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}


def test_pictures_reference_nothing_remote():
    for picture in (ROOT / "docs").rglob("*.svg"):
        text = picture.read_text("utf8")
        assert "<svg" in text
        assert not re.search(r"@font-face|url\(\s*['\"]?http|href=['\"]http|@import", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_that_pages_show_exist(path):
    text = path.read_text("utf8")
    shown = [
        line for language, body in code_blocks(text) if language in {"bash", "console"} for line in body.split("\n")
    ]
    shown += [span for span in code_spans(text) if span.startswith("broca ")]
    first_words = {name.split()[0] for name in COMMANDS}
    for line in shown:
        called = re.match(r"(?:\$ )?(?:[A-Z_]+=\S* )*(?:\S*/)?(?:python -m )?broca ([a-z]+)(?: ([a-z]+))?", line)
        if called is None:
            continue
        name, following = called.groups()
        assert name in first_words, line
        assert name in COMMANDS or f"{name} {following}" in COMMANDS, line
        options = COMMANDS.get(name, COMMANDS.get(f"{name} {following}", set()))
        given = set(re.findall(r"(?<= )(--?[a-z][a-z-]*)", re.split(r"[#|]", line)[0]))
        assert given - options - {"--help"} == set(), line


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_targets_of_make_that_pages_show_exist(path):
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), flags=re.MULTILINE))
    text = path.read_text("utf8")
    code = [body for language, body in code_blocks(text) if language in {"bash", "console"}] + code_spans(text)
    assert {name for part in code for name in re.findall(r"\bmake ([a-z-]+)", part)} - targets == set()


def test_the_reference_has_every_command_with_every_option():
    found = sections(page("docs/reference/command-line.md"), 2)
    described = {re.match(r"`broca ([a-z ]+?)(?: [A-Z]+)*`", title).group(1): body for title, body in found.items()}
    assert set(described) == set(COMMANDS)
    for name, options in COMMANDS.items():
        mentioned = {span for span in code_spans(described[name]) if re.fullmatch(r"--?[a-z-]+", span)}
        assert mentioned == options, name


@pytest.fixture(scope="module")
def document():
    return create_app(ApiSettings(data_dir=Path("unused"))).openapi()


def test_the_reference_has_every_endpoint_and_no_other(document):
    endpoints = {
        f"`{method.upper()} {path}`" for path, operations in document["paths"].items() for method in operations
    }
    assert set(sections(page("docs/reference/http.md"), 3)) == endpoints


def test_the_reference_has_every_parameter(document):
    found = sections(page("docs/reference/http.md"), 3)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            described = found[f"`{method.upper()} {path}`"]
            for parameter in operation.get("parameters", ()):
                assert parameter["in"] == "path" or f"`{parameter['name']}`" in described, (path, parameter["name"])


def test_the_reference_has_every_field_of_what_is_sent(document):
    text = page("docs/reference/http.md")
    shapes = document["components"]["schemas"]
    for name in ("Job", "Run", "Event", "Score", "Provenance", "Leaderboard", "Model", "Benchmark"):
        missing = [field for field in shapes[name]["properties"] if f'"{field}"' not in text]
        assert missing == [], name
    body = sections(text, 3)["`POST /v1/jobs`"]
    assert [field for field in shapes["JobRequest"]["properties"] if f"`{field}`" not in body] == []


def test_the_reference_has_every_benchmark_as_it_is():
    rows = [cells for cells in tables(page("docs/reference/benchmarks.md")) if "`" in cells[0]]
    said = {cells[0].strip("`"): cells for cells in rows}
    assert set(said) == set(names(Shelf.BENCHMARKS))
    for name, (_, version, kind, stimuli, _, _, n_folds, _, licence) in said.items():
        benchmark = benchmark_named(name)
        assert (int(version), kind, int(n_folds)) == (benchmark.version, benchmark.kind.value, benchmark.n_folds)
        assert ("SYNTHETIC" in stimuli) == benchmark.synthetic
        assert licence == ("–" if benchmark.synthetic else dataset_named(benchmark.dataset).licence)


def test_the_reference_has_the_protocols_of_every_benchmark():
    body = sections(page("docs/reference/benchmarks.md"), 2)["Under which protocols"]
    said = {protocol: set() for protocol in PROTOCOLS}
    for line in re.split(r"^- ", body, flags=re.MULTILINE)[1:]:
        protocols, listed = line.split(":")
        for protocol in code_spans(protocols):
            said[protocol] |= set(code_spans(listed)) or set(names(Shelf.BENCHMARKS))
    defined = {name: benchmark_named(name).protocols for name in names(Shelf.BENCHMARKS)}
    assert said == {protocol: {name for name in defined if protocol in defined[name]} for protocol in PROTOCOLS}


@pytest.mark.parametrize("name", names(Shelf.BENCHMARKS))
def test_the_reference_has_the_ceiling_and_the_size_of_the_data(name, data_store):
    rows = tables(page("docs/reference/benchmarks.md"))
    (cells,) = (cells for cells in rows if cells[0] == f"`{name}`")
    experiment = benchmark_named(name).experiment(data_store(name))
    ceiling = experiment.ceiling
    value = None if ceiling is None else ceiling.value
    assert cells[7] == ("computed" if ceiling is None else "none" if value is None else f"{value:.4f}")
    assert cells[3].startswith(f"{len(experiment.stimuli):,} ")


def test_the_reference_has_every_model_type():
    body = sections(page("docs/reference/benchmarks.md"), 2)["What a model must bring"]
    said = {cells[0]: set(code_spans(cells[1])) for cells in tables(body)[1:]}
    by_layout: dict[str, set[str]] = {}
    for family in families():
        by_layout.setdefault(family.layout, set()).update(family.model_types)
    assert said == by_layout
    assert f"{len(supported_model_types())} model types" in README.read_text("utf8")
