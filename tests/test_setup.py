"""The set-up files agree: pyproject.toml, constraints.txt, environment.yml, Makefile, .ci/run, CITATION.cff."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

# conda-forge's names where they differ from those of pyproject.toml; environment.yml says why.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}

# Names of distributions that are imported under another name.
DISTRIBUTIONS = {"PIL": "pillow", "IPython": "ipykernel", "mpl_toolkits": "matplotlib"}

# The packages of course_lib that need what the extras lab and, for the way out, export bring.
LESSON_ROOMS = {"classroom", "checks", "widgets"}
WAY_OUT = {"export", "commands"}

PERMITTED_AT_THE_TOP = {
    "notebooks",
    "findings",
    "course_lib",
    "data",
    "tests",
    "environment.yml",
    "README.md",
    "pyproject.toml",
    "Makefile",
    "constraints.txt",
    "LICENSE",
    "LICENSE-CC-BY-4.0",
    "CONTRIBUTING.md",
    "CITATION.cff",
}

# In two parts each, so that this file does not contain what it looks for.
REGISTRY_HOSTS = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "debian" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def by_name(lines: list[str]) -> dict[str, Requirement]:
    """Requirements such as "torch>=2.6,<3" keyed by their normalised names; a name may come only once."""
    requirements = [Requirement(line) for line in lines]
    names = [canonicalize_name(requirement.name) for requirement in requirements]
    assert len(names) == len(set(names)), f"named twice: {sorted(n for n in names if names.count(n) > 1)}"
    return dict(zip(names, requirements, strict=True))


def tracked_files() -> list[str]:
    """What git keeps; skips the test where there is no git or no checkout."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.split("\0") if name]
    return names or pytest.skip("git keeps no file yet")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def with_extras(*extras: str) -> dict[str, Requirement]:
    """The dependencies of the library with these extras, which may name others, as course-lib[classroom] does."""
    lines, waiting = list(PROJECT["dependencies"]), list(extras)
    for extra in waiting:
        for line in EXTRAS[extra]:
            if (requirement := Requirement(line)).name == PROJECT["name"]:
                waiting += requirement.extras - {*waiting}
            else:
                lines.append(line)
    return by_name(lines)


CORE, LESSONS, WANTED, ALL = with_extras(), with_extras("lab"), with_extras("test"), with_extras(*EXTRAS)
PINS = by_name([line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")])


@pytest.mark.parametrize("name", ALL)
def test_each_dependency_has_a_lower_and_an_upper_bound(name):
    operators = {part.operator for part in ALL[name].specifier}
    assert operators == {">=", "<"}, f"{ALL[name]}: write it as name>=first,<beyond"


STANDS_ON = read("CONTRIBUTING.md").split("## What it stands on")[1].split("\n## ")[0]
LICENCES = dict(re.findall(r"^\|[^|]*\| (\S+) \|[^|]+\| ([^|]+) \|$", STANDS_ON, re.MULTILINE)[2:])
GENERAL = {  # what classifiers say
    "Apache Software License": "Apache",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF",
}


def test_the_table_of_dependencies_names_each_once():
    npm = json.loads(read("notebooks/site/package.json"))
    asked = [*ALL, *npm["dependencies"], *npm["devDependencies"]]
    assert sorted(name.lower() for name in LICENCES) == sorted(asked)


@pytest.mark.parametrize("name", ALL)
def test_the_table_of_dependencies_has_the_licence_that_a_package_states(name):
    told = {canonicalize_name(package): licence for package, licence in LICENCES.items()}[name]
    try:
        stated = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip("not installed here")
    families = re.findall(r"MIT|BSD|Apache|MPL|PSF", stated.get("License-Expression") or "") or [
        GENERAL[kind] for line in stated.get_all("Classifier") or [] if (kind := line.rpartition(" :: ")[2]) in GENERAL
    ]
    assert not families or re.match(r"MIT|BSD|Apache|MPL|PSF", told)[0] in families, (told, families)


@pytest.mark.parametrize("name", PINS)
def test_each_constraint_is_one_exact_version(name):
    (part,) = PINS[name].specifier
    assert part.operator == "==" and "*" not in part.version and "+" not in part.version
    assert PINS[name].marker is None and PINS[name].url is None


@pytest.mark.parametrize("name", ALL)
def test_each_dependency_is_pinned_within_its_range(name):
    assert name in PINS, f"constraints.txt lacks {name}: run `make constraints`"
    (pin,) = PINS[name].specifier
    assert pin.version in ALL[name].specifier


def test_the_core_needs_five_packages_and_each_extra_says_what_it_is_for():
    assert set(CORE) == {"torch", "numpy", "pillow", "safetensors", "tqdm"}
    assert set(EXTRAS) == {"classroom", "lab", "export", "lectern", "test", "browser", "site", "hub"}
    assert set(LESSONS) - set(with_extras("classroom")) == {"jupyterlab", "diffusers"}


def test_pip_is_pinned_and_brought_up_before_anything_else_is_installed():
    assert "pip" in PINS
    recipe = read("Makefile").split("\n$(READY):")[1].split("\n\n")[0]
    first = re.search(r"^.* -m pip install .*$", recipe, re.MULTILINE)
    assert first and first.group().strip() == "$(PYTHON) -m pip install -c $(PINS) --upgrade pip"


def test_what_is_installed_here_runs_on_the_oldest_python_too():
    """A release may ask for a later Python 3.11 than Debian 12 has (3.11.2): pip then finds no version that fits."""
    oldest = SpecifierSet(PROJECT["requires-python"]).filter(["3.11.0"])
    assert list(oldest) == ["3.11.0"]
    for found in distributions():
        needed, pin = found.metadata["Requires-Python"], PINS.get(canonicalize_name(found.metadata["Name"]))
        if pin and needed and pin.specifier.contains(found.version.split("+")[0]):
            assert "3.11.0" in SpecifierSet(needed), f"{pin} needs Python {needed}: run `make constraints`"


def test_the_gpu_libraries_of_torchs_default_build_are_pinned():
    """Where torch's CPU builds cannot be reached, its default build brings them; here they may be absent."""
    assert {"cuda-toolkit", "cuda-bindings", "nvidia-cudnn-cu13", "nvidia-nccl-cu13", "triton"} <= set(PINS)
    names = {canonicalize_name(found.metadata["Name"]) for found in distributions()}
    assert not {name for name in names if re.match("nvidia-|cuda-|triton$", name)} - set(PINS)


def test_torch_is_the_one_that_the_weights_were_made_with():
    assert str(PINS["torch"]) == "torch==2.13.0"


def test_the_conda_environment_matches_pyproject():
    environment = yaml.safe_load(read("environment.yml"))
    lines = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip_part,) = [entry for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip_part == {"pip": ["-e ."]}
    assert environment["channels"][0] == "conda-forge"

    python = next(line for line in lines if line.startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python="))

    found = by_name([line for line in lines if line != "pip" and line != python])
    expected = {CONDA_NAMES.get(name, name): requirement for name, requirement in WANTED.items()}
    assert set(found) == set(expected)
    for name, requirement in expected.items():
        assert found[name].specifier == requirement.specifier, f"{name}: another range than in pyproject.toml"


def imports(tree: ast.AST, inside_functions: bool = True) -> set[str]:
    """The modules that a program imports, in full: {"torch.nn", "course_lib.tools"}."""
    found, waiting = set(), [tree]
    for node in waiting:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def strangers(imported: set[str], allowed: dict[str, Requirement], closed_rooms: set[str]) -> set[str]:
    """Of what is imported, what is neither Python's own, nor ours in an open room, nor of an allowed distribution."""
    found = set()
    for name in imported:
        top, *rest = name.split(".")
        if top == "course_lib":
            closed = bool(rest) and rest[0] in closed_rooms
        else:
            distribution = canonicalize_name(DISTRIBUTIONS.get(top, top))
            closed = top not in sys.stdlib_module_names and distribution not in allowed
        found |= {name} if closed else set()
    return found


LIBRARY = sorted((ROOT / "course_lib").rglob("*.py"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.relative_to(ROOT / "course_lib").as_posix())
def test_the_library_imports_only_what_its_room_may(path):
    """Rooms for lessons import what lessons need; all others, and what lies in no room, the core dependencies.

    A command may import more inside its functions, so that `generate` runs where there is no matplotlib. What is
    outside the rooms for lessons may not import them either, or it would need what they need.
    """
    room = path.relative_to(ROOT / "course_lib").parts[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if room in LESSON_ROOMS | WAY_OUT:
        allowed = LESSONS if room in LESSON_ROOMS else with_extras("lab", "export")
        undeclared = strangers(imports(tree), allowed, closed_rooms=set())
        assert not undeclared, f"imports {sorted(undeclared)}, which pyproject.toml lists neither for core nor for lab"
    if room not in LESSON_ROOMS | {"export"}:
        closed = LESSON_ROOMS | {"export"}
        undeclared = strangers(imports(tree, inside_functions=room != "commands"), CORE, closed_rooms=closed)
        assert not undeclared, f"imports {sorted(undeclared)}, which a core installation lacks"


@pytest.mark.parametrize(
    "target",
    ["help", "env", "lab", "test", "quick", "bench", "bench-start", "bench-choices", "bench-controls", "bench-scaling"]
    + ["bench-steps", "bench-scenes", "bench-page", "bench-peers", "race", "tables", "test-browser", "test-twice"]
    + ["site", "site-open", "test-site", "lecture", "slides", "handout", "questions", "class", "grade"]
    + ["test-lectern", "test-class", "test-hub", "bench-class"]
    + ["pictures", "weights", "constraints", "clean"],
)
def test_the_makefile_has_each_promised_target_with_its_line_of_help(target):
    assert re.search(rf"^{target}:.*## \S", read("Makefile"), re.MULTILINE)


def test_make_alone_lists_the_targets():
    first = re.search(r"^([a-z]+):", read("Makefile"), re.MULTILINE)
    assert first and first.group(1) == "help"


def test_the_citation_names_this_version_and_all_that_its_format_asks_for():
    """What the schema of CFF 1.2.0 requires, and the values that it permits for what stands here."""
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["title"]
    assert citation["authors"] == PROJECT["authors"] and citation["version"] == PROJECT["version"]
    assert citation["type"] == "software" and citation["license"] == [PROJECT["license"], "CC-BY-4.0"]
    known = {"abstract", "authors", "cff-version", "keywords", "license", "message", "title", "type", "version"}
    assert set(citation) <= known, "a key that this test does not know: check it against the schema of CFF"


def test_ci_runs_all_tests():
    lines = read(".ci/run").splitlines()
    assert lines[0].startswith("#!") and "bash" in lines[0]
    assert "set -euo pipefail" in lines
    targets = re.findall(r"^(test(?:-\w+)?):", read("Makefile"), re.MULTILINE)
    assert len(targets) > 5 and {f"make {target}" for target in targets} <= {
        line.removeprefix("offline ") for line in lines
    }
    assert "offline make test" in lines  # so nothing that it runs, lessons included, asks another machine for anything


def test_no_file_names_a_package_registry():
    for name in tracked_files():
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" in content:  # not text
            continue
        named = [host for host in REGISTRY_HOSTS if host.encode() in content]
        assert not named, f"{name} names {named}: whoever installs has an index of their own"


def test_the_top_level_holds_only_what_belongs_there():
    top = {name.split("/")[0] for name in tracked_files()}
    strangers = {name for name in top if not name.startswith(".")} - PERMITTED_AT_THE_TOP
    assert not strangers
