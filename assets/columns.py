"""Lists the columns of each asset, and the columns of other assets that each is made from, for Dagster's UI.

Everything follows from the contract or the statistic: its words, the vocabulary's labels, its SELECT. Dagster's open UI
shows descriptions of columns but no lineage of them, so a description ends with what the column is made of (``もと``);
the same stands under ``dagster/column_lineage``, for Dagster+ and for GraphQL clients. Which *rows* a step keeps,
and the encoding that raw is read in, concern all columns alike and are told of none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from assets.column_rules import Made, Origin, contract_made, listed
from kobe_platform.contracts import Contract
from kobe_platform.forecasts.tables import AGE, AHEAD, AREA, MONTHS, NAMES, ForecastTable, Scoreboard
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.select.syntax import parse
from kobe_platform.unusual.tables import NAMES as WATCHED_SERIES
from kobe_platform.unusual.tables import UsualRanges
from kobe_platform.vocabulary.codes import UNKNOWN, hierarchies
from kobe_platform.vocabulary.municipality import own

if TYPE_CHECKING:
    from kobe_platform.lounge.pages import Page

SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"
ROLES = {"origin": "移動前の", "destination": "移動後の"}

Relation = Mapping[str, frozenset[Origin]]
"""A table that a SELECT reads: column → what it is made of."""


def contract_columns(contract: Contract, stage: str) -> tuple[dg.TableColumn, ...]:
    """The columns that a source's partition has at a stage, in its order.

    Args:
        stage: raw, abstracted or lake; statistics for public figures.
    """
    return tuple(made.column() for made in contract_made(contract, stage))


def statistic_columns(
    statistic: Statistic, stage: str, contracts: Mapping[str, Contract]
) -> tuple[dg.TableColumn, ...]:
    """The columns of a table's partition.

    Args:
        stage: statistics (counts of the finest cells) or published.
        contracts: by source: what the SELECT can read.
    """
    return tuple(made.column() for made in _statistic(statistic, stage, contracts))


def lineage(
    source: Contract | Statistic, stage: str, contracts: Mapping[str, Contract] | None = None
) -> dg.TableColumnLineage:
    """Column → columns of the assets above; columns that come from none (raw, periods, constants) are left out."""
    made = _made(source, stage, contracts)
    deps = {
        one.name: [dg.TableColumnDep(dg.AssetKey([above, asset]), name) for above, asset, name in one.origins]
        for one in made
        if one.origins
    }
    return dg.TableColumnLineage(deps_by_column=deps)


def definition_metadata(
    source: Contract | Statistic, stage: str, contracts: Mapping[str, Contract] | None = None
) -> dict[str, object]:
    """For an asset's specification: its columns and, where they come from others, their lineage."""
    columns = [made.column() for made in _made(source, stage, contracts)]
    known = lineage(source, stage, contracts)
    return {SCHEMA: dg.TableSchema(columns=columns), **({LINEAGE: known} if known.deps_by_column else {})}


def described(types: Mapping[str, str], columns: Iterable[dg.TableColumn]) -> dg.MetadataValue:
    """The columns of a committed partition with their real types; one that nobody describes stands bare.

    Args:
        types: column → Polars type, as ``Partition.columns`` has them.
    """
    words = {column.name: column.description for column in columns}
    real = [dg.TableColumn(name, type=kind, description=words.get(name)) for name, kind in types.items()]
    return dg.MetadataValue.table_schema(dg.TableSchema(columns=real))


def page_reads(page: Page, statistics: Mapping[str, Statistic]) -> dict[str, object]:
    """For a page's specification: the columns of published tables that its queries read.

    A page has no columns of its own, so it has no place in the lineage of columns.
    """
    tables: dict[str, Relation] = {name: _shown(statistics[name]) for name in page.tables if name in statistics}
    read: set[Origin] = set()
    for query in page.queries:
        outputs, origins = _select(parse(query.sql).node, tables)
        tables[f"query__{query.name}"] = outputs
        read |= origins
    found: dict[str, list[str]] = {}
    for stage, name, column in sorted(read):
        found.setdefault(f"{stage}/{name}", []).append(column)
    records = [dg.TableRecord({"公表表": name, "読む列": "・".join(columns)}) for name, columns in found.items()]
    schema = dg.TableSchema(columns=[dg.TableColumn("公表表"), dg.TableColumn("読む列")])
    return {"reads": dg.MetadataValue.table(records, schema)} if records else {}


def _made(source: Contract | Statistic, stage: str, contracts: Mapping[str, Contract] | None) -> list[Made]:
    if isinstance(source, Contract):
        return contract_made(source, stage)
    return list(_statistic(source, stage, contracts or {}))


def _statistic(statistic: Statistic, stage: str, contracts: Mapping[str, Contract]) -> Iterator[Made]:
    if isinstance(statistic, ForecastTable | Scoreboard):
        return _forecast(statistic)
    if isinstance(statistic, UsualRanges):
        return _usual(statistic)
    if stage == "published":
        return _published(statistic, contracts)
    return _counted(statistic, contracts)


def _counted(statistic: Statistic, contracts: Mapping[str, Contract]) -> Iterator[Made]:
    """The finest cells. A count depends on all that the SELECT reads: what it selects by, and what it counts by."""
    outputs, read = _select(_statement(statistic), _readable(statistic, contracts))
    for column in statistic.dimensions:
        yield Made(column, "String", _dimension(statistic, column, "statistics"), _ordered(outputs.get(column)))
    cell = "区分の組合せごと、秘匿前"
    if statistic.kind == "mean":
        total = f"{statistic.title}の分子({cell})。単位:{statistic.unit}。"
        yield Made("total", "Int64", total, _ordered(read))
        yield Made("persons", "Int64", f"{statistic.title}の分母({cell})。値の分かる人の数。単位:人。", _ordered(read))
    else:
        words = f"{statistic.title}({cell})。単位:{statistic.unit}。"
        yield Made(statistic.measure, "Int64", words, _ordered(read))


def _published(statistic: Statistic, contracts: Mapping[str, Contract]) -> Iterator[Made]:
    """What leaves: every margin a row. Public tables are selected from public figures, all others from their counts."""
    public, mean = statistic.kind == "public", statistic.kind == "mean"
    no_origin: tuple[Origin, ...] = ()
    if public:
        outputs, _ = _select(_statement(statistic), _readable(statistic, contracts))
        origins = {column: _ordered(outputs.get(column)) for column in (*statistic.dimensions, statistic.measure)}
        value, status = origins[statistic.measure], no_origin
    else:
        own = ("statistics", statistic.name)
        origins = {column: ((*own, column),) for column in statistic.dimensions}
        measures = ("total", "persons") if mean else (statistic.measure,)
        value = status = tuple((*own, measure) for measure in measures)
    period = "対象年(YYYY)。" if statistic.period == "year" else "対象月(YYYY-MM)。"
    yield Made("period", "String", period)
    for column in statistic.dimensions:
        yield Made(column, "String", _dimension(statistic, column, "published"), origins[column])
    digits = "小数第1位まで。" if mean else ""
    hidden = "" if public else "秘匿した行では空。"
    words = f"{statistic.title}。単位:{statistic.unit}。{digits}{hidden}"
    yield Made("value", "Float64" if mean else "Int64", words, value)
    yield Made("status", "String", _status(statistic), status)


def _forecast(statistic: ForecastTable | Scoreboard) -> Iterator[Made]:
    """Vintages and scores: made from published tables."""
    origins: dict[str, tuple[Origin, ...]] = {}
    if isinstance(statistic, ForecastTable):
        given = statistic.forecast.input
        origins[AREA] = (("published", given.table, given.area),)
        origins |= {AGE: (("published", given.table, given.age),)} if given.age else {}
        value: tuple[Origin, ...] = (("published", given.table, "value"),)
        period, kind, hidden = "起点の月(YYYY-MM)。", "Int64", "起点で秘匿した行では空。"
    else:
        tables = {*statistic.scored, *(table.forecast.input.table for table in statistic.scored.values())}
        value = tuple(("published", name, "value") for name in sorted(tables))
        period, kind, hidden = "対象月(YYYY-MM)。", "Float64", ""
    yield Made("period", "String", period)
    for column in statistic.dimensions:
        yield Made(column, "String", _dimension(statistic, column, "published"), origins.get(column, ()))
    yield Made("value", kind, f"{statistic.title}。単位:{statistic.unit}。{hidden}", value)
    yield Made(
        "status", "String", "値の状態。値:published=公表、suppressed=起点の値が秘匿のため見込みを作らない。", value
    )


def _usual(statistic: UsualRanges) -> Iterator[Made]:
    """Usual ranges: made from published tables and from the table's own past."""
    value: tuple[Origin, ...] = tuple(("published", name, "value") for name in statistic.inputs)
    told = [(watch.input.table, watch.input.area) for watch in statistic.watches.values() if watch.input.area]
    areas = tuple(("published", *one) for one in sorted(set(told)))
    yield Made("period", "String", "対象月(YYYY-MM)。")
    for column in statistic.dimensions:
        yield Made(column, "String", _dimension(statistic, column, "published"), areas if column == "area" else ())
    yield Made("value", "Int64", f"{statistic.title}。単位:{statistic.unit}。順位は1から15まで。", value)
    yield Made("status", "String", "値の状態。値:published=公表。秘匿した値には行がない。", value)


def _status(statistic: Statistic) -> str:
    if statistic.kind == "public":
        return "公表の状態。値:published=公表。公表済みの統計なので、秘匿した行はない。"
    words = "公表の状態。値:published=公表、suppressed=秘匿。"
    least = statistic.minimum_frequency
    if statistic.kind == "mean":
        return f"{words}{least} 人に満たない平均と、人数を秘匿した区分の平均を秘匿する。"
    return f"{words}1 以上 {least} 未満の数と、差引きでそれが分かる数を秘匿する。"


def _dimension(statistic: Statistic, column: str, stage: str) -> str:
    """A dimension's title, codes and totals; finest codes in the counts, all levels in what is published."""
    name, published = statistic.dimensions[column], stage == "published"
    role = ROLES.get(statistic.roles.get(column, ""), "")
    if name == "district":
        levels = f"5桁=区、{own().code}={own().name}、" if published else f"区-{UNKNOWN}=その区の校区不明、"
        return f"{role}区・小学校区。値:{levels}ほかは小学校区のコード(town_districts の district_code)。"
    if name in _UNLISTED:
        return _UNLISTED[name]
    tree = hierarchies()[name]
    shown = [code.code for code in tree.codes if code.label and code.code not in tree.residual]
    codes = shown if published else [*tree.leaves, *tree.residual]
    told = listed({code: tree.label(code) for code in codes}, f"語彙 hierarchies.toml の {name}")
    root = f"計は {tree.root}。" if published and tree.root in codes[:1] and len(codes) > 1 else ""
    hidden = "不明は計にだけ数える。" if tree.residual else ""
    return f"{role}{tree.title}。{told}{root}{hidden}"


_UNLISTED = {
    MONTHS: "対象の年月。値:YYYY-MM。",
    AHEAD: "何か月先か。値:月数。",
    NAMES: "見込み。値:assets/forecasts のファイル名。",
    WATCHED_SERIES: "系列。値:assets/unusual のファイル名。区分ごとの系列は、__ と区分のコードが続く。",
}


def _ordered(origins: Iterable[Origin] | None) -> tuple[Origin, ...]:
    return tuple(sorted(origins or ()))


def _statement(statistic: Statistic) -> Mapping:
    """The SELECT in the form in which it runs, as a tree."""
    return parse(statistic.sql).node if statistic.kind == "public" else statistic.counts.counting


def _readable(statistic: Statistic, contracts: Mapping[str, Contract]) -> dict[str, Relation]:
    """The sources of a SELECT: columns of the contract, and the hierarchies that derive from them."""
    tables: dict[str, Relation] = {}
    for source in statistic.sources:
        contract = contracts.get(source)
        if contract is None:
            continue
        stage = "statistics" if contract.use == "statistics" else "lake"
        own = {name: frozenset({(stage, source, name)}) for name in contract.outputs}
        if stage == "lake":
            derived = {tree.name: own[tree.source] for tree in hierarchies().values() if tree.source in own}
            sides = {f"district{side}": f"ward{side}" for side in ("", "_before", "_after")}
            told_apart = {d: own[d] | own[ward] for d, ward in sides.items() if d in own and ward in own}
            own = {**own, **derived, **told_apart}
        tables[source] = own
    return tables


def _shown(statistic: Statistic) -> Relation:
    """A published table as pages see it: beside each code its label, place, level, parent and whether it is a leaf."""
    tells = {"period": "period", "period_label": "period", "value": "value", "status": "status"}
    for column in statistic.dimensions:
        ends = ("", "_label", "_sort", "_level", "_parent", "_leaf")
        tells |= {f"{column}{end}": column for end in ends}
    return {name: frozenset({("published", statistic.name, column)}) for name, column in tells.items()}


# What a SELECT is made of, read from DuckDB's parse of it.


def _select(node: Mapping, tables: Mapping[str, Relation]) -> tuple[dict[str, frozenset[Origin]], frozenset[Origin]]:
    """Output column → what it is made of; and every column that is read: selected, joined, grouped or sorted by."""
    known, read = dict(tables), frozenset[Origin]()
    for entry in node["cte_map"]["map"]:
        known[entry["key"]], inside = _select(entry["value"]["query_node"], known)
        read |= inside
    if node["type"] == "SET_OPERATION_NODE":
        parts = [_select(child, known) for child in node["children"]]
        columns = zip(*(outputs.values() for outputs, _ in parts), strict=True)
        united = [frozenset().union(*same) for same in columns]
        return dict(zip(parts[0][0], united, strict=True)), read.union(*(inside for _, inside in parts))
    scope, inside = _from(node["from_table"], known)
    outputs: dict[str, frozenset[Origin]] = {}
    for item in node["select_list"]:
        if item["class"] == "STAR":
            outputs |= _starred(item, scope)
            continue
        name = item["alias"] or (item.get("column_names") or [item.get("function_name", "")])[-1]
        place = f"{name} {len(outputs)}" if name in outputs or not name else name  # two constants have no name
        outputs[place] = _origins(item, scope, known)
    clauses = [value for key, value in node.items() if key not in ("cte_map", "from_table")]
    return outputs, read | inside | _origins(clauses, scope, known)


def _from(table: Mapping, tables: Mapping[str, Relation]) -> tuple[dict[str, Relation], frozenset[Origin]]:
    """What stands after FROM, by the name that columns are qualified with; and what its joins and subqueries read."""
    if table["type"] == "BASE_TABLE":
        return {table["alias"] or table["table_name"]: tables.get(table["table_name"], {})}, frozenset()
    if table["type"] == "SUBQUERY":
        outputs, read = _select(table["subquery"]["node"], tables)
        return {table["alias"]: outputs}, read
    if table["type"] == "JOIN":
        left, read = _from(table["left"], tables)
        right, more = _from(table["right"], tables)
        scope = {**left, **right}
        using = [_column([name], scope) for name in table.get("using_columns", ())]
        return scope, read.union(more, _origins(table.get("condition"), scope, tables), *using)
    return {}, frozenset()


def _starred(star: Mapping, scope: Mapping[str, Relation]) -> dict[str, frozenset[Origin]]:
    chosen = [relation for name, relation in scope.items() if star["relation_name"] in ("", name)]
    left_out = {str(name) for name in star["exclude_list"]}
    return {name: made for relation in chosen for name, made in relation.items() if name not in left_out}


def _origins(expression: object, scope: Mapping[str, Relation], tables: Mapping[str, Relation]) -> frozenset[Origin]:
    """Every column that an expression names, subqueries included."""
    if isinstance(expression, list):
        return frozenset().union(*(_origins(part, scope, tables) for part in expression))
    if not isinstance(expression, Mapping):
        return frozenset()
    if expression.get("class") == "COLUMN_REF":
        return _column(expression["column_names"], scope)
    if expression.get("class") == "SUBQUERY":
        outputs, read = _select(expression["subquery"]["node"], tables)
        return read.union(_origins(expression.get("child"), scope, tables), *outputs.values())
    return frozenset().union(*(_origins(part, scope, tables) for part in expression.values()))


def _column(names: list[str], scope: Mapping[str, Relation]) -> frozenset[Origin]:
    """A column by its name, qualified or not; empty where no table has it (an alias of the SELECT itself)."""
    relations = [scope.get(names[-2], {})] if len(names) > 1 else scope.values()
    return frozenset().union(*(relation.get(names[-1], frozenset()) for relation in relations))
