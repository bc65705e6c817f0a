"""The rules of the house, read off the source files."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import besfast
import numpy as np
import pytest
from besfast import rng
from besfast.event import COLUMNS, RECORDS, SCALARS, TABLES

PACKAGE = Path(besfast.__file__).resolve().parent
TESTS = Path(__file__).resolve().parent
PYPROJECT = TESTS.parent / "pyproject.toml"
ROOMS = ("exchange", "geometry", "detector", "sim", "reco", "analysis", "validation")

# a floor may import what is below it, and its own room
FLOORS = {"exchange": 0, "geometry": 1, "detector": 2, "sim": 3, "reco": 3, "analysis": 4, "validation": 14}
UPPER = {
    "pipeline": 5,
    "samples": 6,
    "signals": 7,
    "expectations": 7,
    "limit_options": 5,
    "limit_inputs": 8,
    "background_models": 9,
    "measured": 9,
    "bump_hunt_inputs": 9,
    "spurious": 10,
    "hunting": 11,
    "results": 12,
    "workflow": 13,
    "verb": 13,
    "card_verbs": 14,
    "file_verbs": 14,
    "limit_verbs": 14,
    "commands": 15,
    "cli": 16,
    "__main__": 17,
}
# files beyond 300 lines, each with the reason why it is not two
LONG_FILES = {
    "event.py": "the one table of all columns, and the records it describes",
    "store.py": "reading and writing share one layout, and only one module may import h5py",
}
HEAVY = {
    "matplotlib",
    "awkward",
    "vector",
    "iminuit",
    "pyhf",
    "hist",
    "mplhep",
    "dask",
    "uproot",
    "pyhepmc",
    "pylhe",
    "particle",
    "hepdata_lib",
}
LIBM = re.compile(
    r"(math|np|numpy)\.(log\w*|exp\w*|a?(sin|cos|tan)h?|arc\w+|a(sin|cos|tan)h?|atan2|pow\w*|hypot|cbrt|erfc?|l?gamma|"
    r"fmod|dot|matmul)"
)


def sources():
    paths = sorted(PACKAGE.glob("*.py")) + [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))]
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(), path.name) for path in paths}


SOURCES = sources()


def module_of(file):
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def floor_of(module):
    head = module.split(".")[0]
    return FLOORS.get(head, UPPER.get(head, 0))


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(tree):
    """Yield the nodes that run: those under `if TYPE_CHECKING:` do not."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if is_type_checking(tree) and child in tree.body:
            continue
        yield from walk(child)


def inner_imports(file):
    """Yield the modules of the package that a file imports, as dotted names from the package's root."""
    package = file.split("/")[:-1]
    modules = {module_of(name) for name in SOURCES}
    for node in walk(SOURCES[file]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                full = ".".join([*base, alias.name])
                yield full if full in modules else ".".join(base)


def outer_imports(tree, *, at_start=False):
    """Yield the names of foreign packages; `at_start`: only those imported when the module is."""
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.walk(node)
    }
    for node in walk(tree):
        if at_start and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("file", [name for name in SOURCES if name != "__init__.py"])
def test_imports_point_downwards(file):
    module, room = module_of(file), file.split("/")[0]
    for target in inner_imports(file):
        same_room = "/" in file and target.split(".")[0] == room
        ground = floor_of(module) == floor_of(target) == 0
        assert same_room or ground or floor_of(target) < floor_of(module), f"{file} imports {target}"


def test_no_circles():
    graph = {module_of(file): set(inner_imports(file)) for file in SOURCES if file != "__init__.py"}
    done = set()

    def visit(module, path):
        assert module not in path, "circle: " + " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph.get(module, ())):
                if target != module:
                    visit(target, [*path, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])


@pytest.mark.parametrize(
    ("room", "forbidden"), [("reco", "sim"), ("sim", "reco"), ("analysis", "sim"), ("analysis", "reco")]
)
def test_rooms_apart(room, forbidden):
    for file in SOURCES:
        if file.startswith(f"{room}/"):
            assert forbidden not in {target.split(".")[0] for target in inner_imports(file)}, file


def test_rooms_of_the_detector_know_no_events():
    forbidden = {"event", "store", "exchange", "checks", "awkward", "vector", "h5py", "pyhepmc", "pylhe"}
    for file, tree in SOURCES.items():
        if file.split("/")[0] in ("geometry", "detector"):
            assert not forbidden & (
                {target.split(".")[0] for target in inner_imports(file)} | set(outer_imports(tree))
            ), file


def test_relative_imports_only():
    banned = {"besfast", *ROOMS, *(module_of(file) for file in SOURCES if "/" not in file)} - {"__init__", "__main__"}
    for file, tree in SOURCES.items():
        assert not banned & set(outer_imports(tree)), file


@pytest.mark.parametrize(
    ("package", "homes"),
    [
        ("h5py", {"store.py"}),
        ("pyhepmc", {"exchange/hepmc3.py"}),
        ("pylhe", {"exchange/lhe.py"}),
        ("numba", {"kernel.py"}),
        ("llvmlite", {"kernel.py"}),
    ],
)
def test_packages_with_one_home(package, homes):
    assert {file for file, tree in SOURCES.items() if package in set(outer_imports(tree))} <= homes


def test_awkward_and_vector_at_the_border():
    for file, tree in SOURCES.items():
        if {"awkward", "vector"} & set(outer_imports(tree)):
            assert file == "event.py" or file.startswith("analysis/") or file.split(".")[0] in UPPER, file


@pytest.mark.parametrize("file", SOURCES)
def test_heavy_packages_are_imported_where_used(file):
    assert not HEAVY & set(outer_imports(SOURCES[file], at_start=True))


def test_root_modules_shadow_no_standard_library():
    names = {path.stem for path in PACKAGE.glob("*.py")} | set(ROOMS)
    assert not names & set(sys.stdlib_module_names)


@pytest.mark.skipif(not PYPROJECT.is_file(), reason="tests without their project")
def test_packages_are_the_folders():
    settings = tomllib.loads(PYPROJECT.read_text())["tool"]
    folders = {"besfast"} | {
        ".".join(["besfast", *path.parent.relative_to(PACKAGE).parts])
        for room in ROOMS
        for path in (PACKAGE / room).rglob("__init__.py")
    }
    assert set(settings["setuptools"]["packages"]) == folders
    assert folders >= {"besfast", *(f"besfast.{room}" for room in ROOMS)}
    banned = set(settings["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert banned >= modules | set(ROOMS), "bare names must be banned in tests"


@pytest.mark.skipif(not PYPROJECT.is_file(), reason="tests without their project")
def test_no_scripts_at_the_root():
    assert not {path.name for path in PYPROJECT.parent.glob("*.py")} & {"conftest.py", "setup.py", "noxfile.py"}


@pytest.mark.parametrize("kind", RECORDS)
def test_columns_have_unit_and_sentence(kind):
    names = [column.name for column in COLUMNS[kind]]
    assert len(set(names)) == len(names)
    for column in COLUMNS[kind]:
        assert column.table in {table.name for table in TABLES[kind]}
        assert np.dtype(column.dtype).kind in "fib"
        assert isinstance(column.unit, str)
        assert re.fullmatch(r"[A-Zd].{3,}\.", column.sentence), column.name  # dE/dx begins small
        assert np.dtype(column.dtype).kind != "f" or column.unit or "unit" not in column.sentence


@pytest.mark.parametrize("kind", RECORDS)
def test_fields_are_the_columns(kind):
    columns = {column.name for column in COLUMNS[kind]}
    offsets = {table.offsets for table in TABLES[kind] if table.offsets}
    assert set(RECORDS[kind]._fields) == columns | offsets | set(SCALARS)
    assert set(RECORDS[kind]._field_defaults) == set(SCALARS)
    for table in TABLES[kind]:
        assert any(column.table == table.name for column in COLUMNS[kind])


def test_every_record_begins_with_the_event():
    common = {"number", "weight", "event_sqrt_s", "process"}
    for kind, columns in COLUMNS.items():
        assert common <= {column.name for column in columns if column.table == "event"}, kind


def test_streams_are_unique():
    streams = {name: int(value) for name, value in vars(rng).items() if name.endswith("_STREAM")}
    assert len(streams) > 10
    assert len(set(streams.values())) == len(streams)
    assert all(0 < value < 2**24 for value in streams.values()), "stream * 256 + block is one 32-bit word"


@pytest.mark.parametrize("file", SOURCES)
def test_forbidden_in_sources(file):
    for node in ast.walk(SOURCES[file]):
        if isinstance(node, ast.keyword):
            assert node.arg not in ("fastmath", "parallel"), "the same seed must give the same bits everywhere"
        if isinstance(node, ast.Constant) and node.value in ("fastmath", "parallel", "objmode"):
            raise AssertionError(f"{node.value} in {file}")
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        assert name not in ("prange", "objmode"), "threads run whole chunks"
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random"))
    assert "random" not in set(outer_imports(SOURCES[file])), "random numbers come from rng.py"


@pytest.mark.parametrize("file", SOURCES)
def test_files_are_small(file):
    n = len((PACKAGE / file).read_text().splitlines())
    assert n <= 300 or file in LONG_FILES, f"{n} lines ask to be two files"


def test_list_of_long_files_is_current():
    assert all(len((PACKAGE / file).read_text().splitlines()) > 300 for file in LONG_FILES)


def compiled(tree):
    """Return the functions of a module that are compiled: name -> (decorator, node)."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if ast.unparse(decorator) in ("kernel", "stage"):
                    found[node.name] = ast.unparse(decorator), node
    return found


#: Files whose compiled functions fill event columns: limits are promised per machine, events on all.
COLUMN_MAKERS = [file for file, tree in SOURCES.items() if compiled(tree) and not file.startswith("analysis/")]


def called(node):
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            names.add(child.func.attr if isinstance(child.func, ast.Attribute) else ast.unparse(child.func))
    return names


@pytest.mark.parametrize("file", COLUMN_MAKERS)
def test_compiled_functions_call_no_library(file):
    """libm calls are scalar, seven times slower, and round differently from machine to machine."""
    for name, (_, function) in compiled(SOURCES[file]).items():
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert not LIBM.fullmatch(ast.unparse(node.func)), f"{name} calls {ast.unparse(node.func)}"
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                power = node.right.value if isinstance(node.right, ast.Constant) else None
                assert power in (2, 3, 4), f"{name}: {ast.unparse(node)} calls pow"
            assert not isinstance(node, (ast.While, ast.Raise, ast.Try)), f"{name}: a loop without end, or an exception"


@pytest.mark.parametrize("file", COLUMN_MAKERS)
def test_stages_count_with_unsigned_indices(file):
    """A signed index turns contiguous loads into gathers."""
    for name, (decorator, function) in compiled(SOURCES[file]).items():
        for node in ast.walk(function):
            if isinstance(node, ast.For) and decorator == "stage" and isinstance(node.iter, ast.Call):
                text, steps = ast.unparse(node.iter), len(node.iter.args) == 3  # a walk in blocks indexes nothing
                signed = re.search(r"\.size|len\(|\.shape", text) and "uint64" not in text
                assert steps or not signed, f"{name}: {text} counts with a signed index"


def test_every_kernel_has_an_oracle():
    """A formula is tested by name, or a compiled function that uses it is, or the runner of its own file."""
    text = "\n".join(path.read_text() for path in TESTS.glob("*.py") if path != Path(__file__).resolve())
    words = set(re.findall(r"\w+", text))
    functions, kernels, calls = {}, {}, {}
    for file, tree in SOURCES.items():
        for name, (decorator, node) in compiled(tree).items():
            functions[name] = calls[name] = called(node)
            if decorator == "kernel":
                kernels[name] = file
    tested = {name for name in functions if name in words}
    for tree in SOURCES.values():
        own = compiled(tree)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name not in own and node.name in words:
                tested |= called(node) & set(own)
    grown = True
    while grown:
        reached = {callee for name in tested for callee in calls.get(name, ()) if callee in functions}
        grown = not reached <= tested
        tested |= reached
    missing = sorted(f"{file}: {name}" for name, file in kernels.items() if name not in tested)
    assert not missing, "no test reaches " + ", ".join(missing)


def test_help_is_light(run_python):
    code = """
import contextlib, io, sys
from besfast.cli import main
with contextlib.redirect_stdout(io.StringIO()) as text:
    try:
        main(["--help"])
    except SystemExit as stop:
        assert not stop.code
heavy = {"numpy", "numba", "awkward", "h5py", "scipy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
assert "simulate" in text.getvalue()
"""
    run_python(code)


def test_import_is_light(run_python):
    run_python("import sys, besfast; assert not {'numpy', 'numba', 'awkward', 'h5py'} & set(sys.modules)")


def test_public_names_exist():
    assert sorted(dir(besfast)) == sorted(besfast.__all__)
    for name in besfast.__all__:
        assert getattr(besfast, name) is not None, name
    with pytest.raises(AttributeError, match="no_such_name"):
        besfast.no_such_name  # noqa: B018
