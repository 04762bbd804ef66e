"""Who may name whom: the import rules of the house, read from the source."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGSTER_WINGS = {
    "kobe_platform.definitions",
    "kobe_platform.orchestration",
    "kobe_platform.prefecture.machines",
    "kobe_platform.privacy",
    "kobe_platform.web",
    "assets",
    "resources",
    "checks",
}
# Lower rooms first; a room may import rooms of its own rank or below.
RANKS = (
    {"errors", "code_version", "lazily", "lifeline"},
    {"vocabulary", "settings"},
    {"contracts"},
    {"custody", "disclosure", "objects"},
    {"intake", "lake", "abstraction", "trials", "home_format"},
    {"quality"},
    {"reception", "statistics", "forecasts", "unusual", "typology", "published", "governance", "alerts", "synthesis"},
    {"lounge"},
    {"release", "backup"},
    {"tabulation"},
    {"ondemand"},
    {"planning", "privacy"},
    {"web", "upkeep"},
    {"orchestration"},
    {"definitions"},
    {"cli", "bench", "prefecture"},
)
SAME_EVERYWHERE = {"_Strict"}
"""Private base classes that mean the same wherever they stand (a model that refuses keys it does not know)."""
LAYERS = {"resources": 0, "assets": 1, "checks": 1, "definitions": 2}


@cache
def modules() -> dict[str, Path]:
    """Every module of the application by dotted name."""
    found = {}
    for package in ("kobe_platform", "assets", "resources", "checks"):
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules that a file imports, wherever in it (or at its top level only)."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    named = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return named


def room(module: str) -> str:
    """The room of a module of the engine."""
    return module.split(".")[1] if module.startswith("kobe_platform.") else ""


def rank(name: str) -> int:
    """Place of a room from the bottom."""
    return next(number for number, rooms in enumerate(RANKS) if name in rooms)


def below(module: str, prefixes: set[str]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("module", sorted(modules()))
def test_only_the_wings_import_dagster(module):
    uses = any(name.split(".")[0].startswith("dagster") for name in imports(modules()[module]))
    assert not uses or below(module, DAGSTER_WINGS)


@pytest.mark.parametrize("module", sorted(name for name in modules() if room(name)))
def test_no_room_names_a_room_above_it(module):
    # A room's commands are a face of the command line, and may name what the command line may.
    own = rank("cli" if module.endswith(".commands") else room(module))
    for name in imports(modules()[module]):
        if room(name) and room(name) in set().union(*RANKS):
            assert rank(room(name)) <= own, f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(name for name in modules() if name.split(".")[0] in LAYERS))
def test_assets_and_checks_stand_on_resources_and_the_engine_alone(module):
    own = LAYERS[module.split(".")[0]]
    for name in imports(modules()[module]):
        if name.split(".")[0] in LAYERS:
            assert LAYERS[name.split(".")[0]] <= own, f"{module} imports {name}"
        assert not below(name, {"kobe_platform.definitions", "kobe_platform.cli.run"})


def test_every_room_has_a_rank():
    rooms = {room(name) for name in modules() if room(name)}
    assert rooms <= set().union(*RANKS), rooms - set().union(*RANKS)


def test_a_class_name_stands_in_one_module_only():
    found: dict[str, list[str]] = {}
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name not in SAME_EVERYWHERE:
                found.setdefault(node.name, []).append(module)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_polars_encryption_is_named_in_one_module_only():
    named = [name for name, path in modules().items() if "ParquetEncryptionProperties" in path.read_text("utf-8")]
    assert named == ["kobe_platform.custody.parquet"]


def test_the_command_line_imports_no_heavy_library_at_its_top():
    heavy = {
        "polars",
        "duckdb",
        "dagster",
        "pandas",
        "pyarrow",
        "great_expectations",
        "highspy",
        "mkdocs",
        "scipy",
        "sklearn",
        "statsmodels",
    }
    for module in ("cli.main", "cli.run", "cli.demo", "bench.commands", "reception.commands"):
        path = modules()[f"kobe_platform.{module}"]
        named = {name.split(".")[0] for name in imports(path, top_level_only=True)}
        assert not named & heavy, f"{module} imports {named & heavy}"


AUDITOR = "kobe_platform.disclosure.auditor"
PARTS_OF_A_REPORT = {"findings", "counts"}


def askers() -> dict[str, Path]:
    """Modules outside the auditor that name the audit or its report."""
    named = (f"{AUDITOR}.", "kobe_platform.disclosure.audit", "kobe_platform.disclosure.AuditReport")
    tabulated = ("kobe_platform.tabulation.steps.audit_published", "kobe_platform.statistics.protection.audited")
    return {
        name: path
        for name, path in modules().items()
        if not below(name, {AUDITOR})
        and name != "kobe_platform.disclosure"  # it hands the names on
        and any(found.startswith(named) or found in tabulated for found in imports(path))
    }


def decisions(tree: ast.AST) -> list[ast.AST]:
    """Expressions whose truth decides: tests, operands of ``and``, ``or``, ``not`` and comparisons, ``bool(…)``."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            found.append(node.test)
        elif isinstance(node, ast.BoolOp | ast.Compare):
            found.append(node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            found.append(node.operand)
        elif isinstance(node, ast.comprehension):
            found += node.ifs
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"bool", "any", "all", "Verdict"}:
            found += node.args[:1]
    return found


def test_everybody_asks_the_audits_report_whether_it_is_publishable_and_nothing_else():
    """Nobody decides from the parts of a report (findings, counts, rings left out): an incomplete audit is none."""
    asking = askers()
    expected = {"checks.disclosure", "kobe_platform.statistics.protection", "kobe_platform.ondemand.answers"}
    assert expected | {"kobe_platform.disclosure.commands", "kobe_platform.tabulation.steps"} <= set(asking)
    for name, path in asking.items():
        tree = ast.parse(path.read_text("utf-8"))
        parts = {
            part.attr for node in decisions(tree) for part in ast.walk(node) if isinstance(part, ast.Attribute)
        } & PARTS_OF_A_REPORT
        assert not parts, f"{name} decides from {parts} of an audit's report: ask for publishable"
        read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "publishable" in read, f"{name} asks for an audit and not whether it is publishable"


def test_rings_that_were_left_out_are_the_auditors_own_affair():
    for name, path in modules().items():
        if not below(name, {AUDITOR}):
            assert "joints_left_out" not in path.read_text("utf-8"), name


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others():
    """Circles are found wherever an import stands, in a function too; names for types alone do not count."""
    graph = {name: {used for used in runtime_imports(path) if used in modules()} for name, path in modules().items()}
    sorter = TopologicalSorter({name: uses - {name} for name, uses in graph.items()})
    try:
        sorter.prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))


def runtime_imports(path: Path) -> set[str]:
    """Modules that a file imports when it runs: of a name's module, the name's own where it is one."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    named = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= parts & set(modules()) or {node.module}
    return named
