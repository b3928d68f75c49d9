"""What holds of the tree as a whole: names of packages, sizes of modules and functions, words that must not stay."""

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "broca", "charts", "migrations", "perf", "scoring", "storage", "worker")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.relative_to(ROOT).parts[:2] != ("migrations", "versions")
)

MAX_LINES_OF_A_MODULE = 300
MAX_LINES_OF_A_FUNCTION = 40
MAX_POSITIONAL = 5

FORBIDDEN = re.compile(
    "|".join(("/ho" + r"me/\w", "/Us" + r"ers/\w", "/ro" + "ot/", r"\bTO" + r"DO\b", r"\bFIX" + "ME"))
)


def functions():
    """Every function with its module and a name that can be shown."""
    for path in MODULES:
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}: {node.name}", path, node


def is_called_by_a_framework(path, node):
    """Endpoints and commands: their parameters come from a request or a command line, by name."""
    is_endpoint = path.parts[:2] == ("api", "routes") and bool(node.decorator_list)
    defaults = [ast.unparse(default) for default in node.args.defaults]
    takes_options = any("typer.Option" in default or default.isupper() for default in defaults)
    return is_endpoint or (path.parts[:2] == ("broca", "commands") and takes_options)


def tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this tree is not a git checkout")
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def test_no_other_distribution_provides_the_names_of_the_packages():
    providers = importlib.metadata.packages_distributions()
    assert {name: set(providers.get(name, ())) - {"broca"} for name in PACKAGES} == {name: set() for name in PACKAGES}


def test_pyproject_lists_the_packages_that_exist():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["setuptools"]["packages"]
    found = [path.parent.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("__init__.py")]
    assert listed == sorted(".".join(path.parts) for path in found)


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_modules_fit_a_sitting():
    sizes = {str(path): len((ROOT / path).read_text("utf8").splitlines()) for path in MODULES}
    assert {path: n_lines for path, n_lines in sizes.items() if n_lines > MAX_LINES_OF_A_MODULE} == {}


def test_functions_are_short():
    sizes = {name: (node.end_lineno or 0) - node.lineno + 1 for name, _, node in functions()}
    assert {name: n_lines for name, n_lines in sizes.items() if n_lines > MAX_LINES_OF_A_FUNCTION} == {}


def test_functions_take_few_positional_parameters():
    too_many = {}
    for name, path, node in functions():
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in {"self", "cls"}]
        if len(given) > MAX_POSITIONAL and not is_called_by_a_framework(path, node):
            too_many[name] = len(given)
    assert too_many == {}


def test_no_file_names_a_home_folder_or_puts_work_off():
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in FORBIDDEN.finditer(text)]
    assert found == []
