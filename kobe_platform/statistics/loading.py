"""Loads statistics: reads the files, judges each SELECT by the contracts, tries it on made-up rows."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.nesting import check_relations
from kobe_platform.statistics.relations import RelationStatement, load_relations
from kobe_platform.statistics.select.sources import DISTRICT, SelectSource, sources_of
from kobe_platform.statistics.select.syntax import Node, SelectFault, Statement, parse, parse_ahead
from kobe_platform.statistics.wishes import load_wishes
from kobe_platform.trials import Trials
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.municipality import localized


def load_statistics(
    directory: Path, contracts: Mapping[str, Contract] | None = None, trials: Trials | None = None
) -> dict[str, Statistic]:
    """Every ``*.sql`` of a folder by name.

    What loads runs: each SELECT is read, judged against the contract of its source, and tried on made-up rows in every
    form that the platform makes of it, unless the same passed before.

    Args:
        contracts: of the sources; those of the installation by default.
        trials: what passed before on this installation; by default only what passed in this process.

    Raises:
        ConfigurationError: ``statistics.definition`` (a file has no front matter or misses a key: file, line or key),
            ``statistics.select`` (its SELECT says what it may not: file, line, column and rule), or
            ``statistics.overlap`` (two tables count the same people by groups that overlap without nesting);
            what :func:`nesting.check_relations` says of relations, and :func:`wishes.load_wishes` of wishes.
    """
    contracts = load_contracts(Settings().contracts) if contracts is None else contracts
    sources = sources_of(contracts)
    told = load_relations(directory)
    paths = sorted(Path(directory).glob("*.sql"))
    parse_ahead(_read(path)[1].strip() for path in paths)
    loaded = [_load(path, sources, told) for path in paths]
    _try(loaded, sources, contracts, trials or Trials())
    statistics = {statistic.name: statistic for statistic, _ in loaded}
    _refuse_overlaps(statistics.values())
    check_relations(statistics.values(), told)
    wished = load_wishes(directory, statistics)
    return {name: one.model_copy(update={"wishes": wished.get(name, ())}) for name, one in statistics.items()}


def _refuse_overlaps(statistics: Iterable[Statistic]) -> None:
    """Of groups that overlap (0-24 beside 0-9 and 10-19) the difference follows, a count that no table protects."""
    from kobe_platform.statistics.trees import overlapping

    used: dict[tuple[str, str], dict[str, str]] = {}
    for statistic in statistics:
        if statistic.kind != "frequency":
            continue
        here = used.setdefault((statistic.key, statistic.population), {})
        for hierarchy in statistic.dimensions.values():
            strange = next((other for other in here if overlapping(hierarchy, other)), None)
            if strange is not None:
                raise ConfigurationError(
                    f"{hierarchy} overlaps {strange} of {here[strange]}.sql without nesting: their difference follows",
                    code="statistics.overlap",
                    at={"file": f"{statistic.name}.sql"},
                    remedy="take a hierarchy whose groups lie whole in the other's, or hold them whole",
                    ja="同じ人たちの別の表と区分の切れ目が食い違い、差から人数が分かります",
                )
            here.setdefault(hierarchy, statistic.name)


def judge(statistic: Statistic, sources: Mapping[str, SelectSource]) -> SelectSource | None:
    """A SELECT against its sources; the source that it counts (None: it is public, and passed through).

    Raises:
        SelectFault: it names no source that it may read, or of that source what it may not.
    """
    if statistic.kind == "public":
        for name, part in statistic.tables.items():
            _source(parse(statistic.sql), part, name, {n: s for n, s in sources.items() if s.public})
        return None
    statement = statistic.counts.statement
    private = {name: source for name, source in sources.items() if not source.public}
    source = _source(statement, statement.node["from_table"], statistic.counts.source, private)
    trees = {column: None if h == DISTRICT else hierarchies()[h] for column, h in statistic.dimensions.items()}
    statistic.counts.judge(source, trees)
    return source


def _source(statement: Statement, part: Node, name: str, sources: Mapping[str, SelectSource]) -> SelectSource:
    if name not in sources:
        remedy = f"there are: {', '.join(sorted(sources))}"
        raise statement.fault(part, "source", f"there is no source {name} that this table may read", remedy)
    return sources[name]


def _load(path: Path, sources: Mapping[str, SelectSource], told: Sequence[RelationStatement]) -> tuple[Statistic, int]:
    """A statistic that was judged, and the line of its file that the SELECT begins on."""
    front, sql, line = _parts(path)
    try:
        own = tuple(statement for statement in told if front.get("population") in statement.populations)
        statistic = Statistic(name=path.stem, sql=sql, relations=own, row_key="", **front)
    except (ValidationError, TypeError) as error:
        raise _incomplete(error, path, line) from None
    try:
        source = judge(statistic, sources)
    except SelectFault as fault:
        raise refused_select(fault, path.name, line) from None
    return statistic.model_copy(update={"row_key": source.row_key if source else ""}), line


def _try(
    loaded: Sequence[tuple[Statistic, int]],
    sources: Mapping[str, SelectSource],
    contracts: Mapping[str, Contract],
    trials: Trials,
) -> None:
    """Try the statistics that have not passed with this definition and these contracts of their sources."""
    told = {name: contract.model_dump_json(by_alias=True) for name, contract in contracts.items()}
    texts = ["\n".join([one.name, one.digest, *map(told.__getitem__, one.sources)]) for one, _ in loaded]
    untried = set(trials.untried(texts))
    if not untried:
        return
    from kobe_platform.statistics.trial import tried

    for (statistic, line), text in zip(loaded, texts, strict=True):
        if text in untried:
            try:
                tried(statistic, sources)
            except SelectFault as fault:
                raise refused_select(fault, f"{statistic.name}.sql", line) from None
    trials.passed(untried)


def _parts(path: Path) -> tuple[dict, str, int]:
    """Front matter, SELECT, and the line of the file that the SELECT begins on."""
    front, below, text = _read(path)
    if front is None:
        raise _refusal(path, "a statistic begins with its front matter in a comment", line=1)
    try:
        told = tomllib.loads(front)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path, "the front matter is not TOML", reason=str(error)) from None
    sql = below.strip()
    return told, sql, text[: len(text) - len(below.lstrip())].count("\n") + 1


def _read(path: Path) -> tuple[str | None, str, str]:
    """Front matter (None where there is none), what stands below it, and the whole text for this municipality."""
    text = localized(path.read_text(encoding="utf-8"))
    opening, _, rest = text.partition("/*")
    front, closing, below = rest.partition("*/")
    return (front, below, text) if closing and not opening.strip() else (None, "", text)


def _incomplete(error: ValidationError | TypeError, path: Path, line: int) -> ConfigurationError:
    faults = error.errors(include_input=False, include_url=False) if isinstance(error, ValidationError) else []
    first: Mapping[str, Any] = faults[0] if faults else {}
    fault = first.get("ctx", {}).get("error")
    if isinstance(fault, SelectFault):
        return refused_select(fault, path.name, line)
    key = ".".join(str(part) for part in first.get("loc", ())) or "front matter"
    return _refusal(path, f"the front matter is not complete: {first.get('msg', 'a key is given twice')}", key=key)


def refused_select(fault: SelectFault, file: str, line: int = 1) -> ConfigurationError:
    """A fault of a SELECT as an error of its file; ``line``: where the SELECT begins."""
    return ConfigurationError(
        fault.message,
        code="statistics.select",
        at={"file": file, "line": line + fault.line - 1, "column": fault.column, "rule": fault.code},
        remedy=f"{fault.remedy} (docs/statistics.md, What a SELECT may say)",
        ja="統計のSQLに使えない書き方があります",
    )


def _refusal(path: Path, message: str, **at: str | int) -> ConfigurationError:
    return ConfigurationError(
        message,
        code="statistics.definition",
        at={"file": path.name, **at},
        remedy="see docs/statistics.md, How to add a statistic",
        ja="統計の定義ファイルに誤りがあります",
    )
