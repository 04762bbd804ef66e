"""Answers a question on demand: counts its table, protects and audits it with what is published, records the answer.

The whole table of a question is protected, audited and recorded, whatever its filters show of it: what is then handed
out is part of something that was safe. Published tables of the month are fixed; former releases and answers are part
of the attack. What cannot be protected beside them is refused, and nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from kobe_platform.disclosure import AuditReport, FormerRelease, Spec, audit, protect
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError, QuestionError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.ondemand.nearest import Nearer
from kobe_platform.ondemand.question import Question
from kobe_platform.release.collect import content_digest
from kobe_platform.statistics import Statistic, groups
from kobe_platform.statistics.history import WINDOW, commits, former_releases, record_release, recorded_content, under
from kobe_platform.statistics.protection import specification
from kobe_platform.statistics.totals_out import totals_out
from kobe_platform.statistics.trees import dimension, regrouped
from kobe_platform.tabulation.steps import areas_of, counted_beside
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

STAGE = "answers"
TRIES = 4
"""So often an answer is worked out where others come before it; nobody waits meanwhile."""
DOUBTS = 3
"""So often a table is protected: where it makes published cells narrow, again with these to be kept open."""
STEPS = ("counting", "protecting", "recording")
"""What a progress callback is told of, in this order; again from the first where others came before the answer.
Not how far protection has come: its counts are of cells that must be hidden, and a nearer question that is tried is a
refusal (docs/decisions/0032)."""
Progress = Callable[[str, int, int], None]
"""Called with a step, its number from 1, and the number of steps."""
NARROW = ("narrow", "exact", "residual")
OVERTAKEN, UNREADY, UNANSWERABLE = "ondemand.overtaken", "ondemand.unready", "ondemand.unsafe"
UNSAFE = "公表済みの統計と合わせると推定できる値があるため、回答できません"


@dataclass(frozen=True)
class Answer:
    """The whole protected table: dimension columns, ``value``, ``status``; ``kept``: whether it was there already."""

    table: pl.DataFrame
    kept: bool
    facts: Mapping[str, object]


class Unanswerable(QuestionError):
    """A question that nothing can be told of beside what is published.

    Attributes:
        offer: the nearest question that can be answered; None where none of those that were tried can.
    """

    offer: Nearer | None = None


def answer(
    store: PartitionStore,
    statistics: Mapping[str, Statistic],
    question: Question,
    window: int = WINDOW,
    nearer: Sequence[Nearer] = (),
    progress: Progress | None = None,
    refused: Callable[[], None] = lambda: None,
) -> Answer:
    """Answer a question, or give the answer that it had before where nothing has changed since.

    Others are not held up while it is worked out: the lock is held for the commit alone. Where another answer or a
    publication of the month came meanwhile, it is worked out again beside that, :data:`TRIES` times in all.

    Args:
        nearer: the questions to try, in this order, where this one cannot be answered.
        progress: told of each of :data:`STEPS` when it begins.
        refused: called when it is known that there is no answer, before any of ``nearer`` is tried; what it raises
            ends the search for them.

    Raises:
        Unanswerable: the answer cannot be protected (which cell stands in its way is not told, for that would tell that
            it is small). QuestionError: tables of the month are not published as the lake now is
            (``ondemand.unready``), or others came before it each time (``ondemand.overtaken``). Then nothing was
            recorded.
    """
    members = groups(statistics.values())[question.statistic.key]
    for _ in range(TRIES):
        state = _state(store, members, question)
        if (kept := _kept(store, question, state)) is not None:
            return kept
        solved = _solved(store, members, question, state, window, nearer, progress, refused)
        _tell(progress, "recording")
        with commits(store):
            if _state(store, members, question).stands(state):
                return _committed(store, question, state, solved)
    raise _overtaken(question.month)


def _tell(progress: Progress | None, step: str) -> None:
    if progress is not None:
        progress(step, STEPS.index(step) + 1, len(STEPS))


@dataclass(frozen=True)
class _State:
    """What an answer is worked out beside: the month's published tables, what was released of it so far, and what
    totals over municipalities that are out ask of it."""

    published: Mapping[str, pl.DataFrame]
    inputs: Mapping[str, str]
    recorded: str
    above: tuple[Scenarios, ...]

    def stands(self, other: _State) -> bool:
        return (self.inputs, self.recorded, self.above) == (other.inputs, other.recorded, other.above)


@dataclass(frozen=True)
class _Solved:
    table: pl.DataFrame
    facts: Mapping[str, object]
    spec: Spec


def _state(store: PartitionStore, members: Sequence[Statistic], question: Question) -> _State:
    recorded = recorded_content(store, question.statistic.key, question.month)
    published = _published(store, members, question.month)
    inputs = {name: content_digest(table) for name, table in published.items()}
    return _State(published, inputs, recorded, totals_out(store, question.statistic.key, question.month))


def _kept(store: PartitionStore, question: Question, state: _State) -> Answer | None:
    """The answer that was given before over the published tables as they are."""
    id = PartitionId(STAGE, question.statistic.name, question.month)
    held = store.current(id)
    if held is None or dict(held.inputs) != dict(state.inputs):
        return None
    return Answer(store.read(id), True, held.facts)


def _committed(store: PartitionStore, question: Question, state: _State, solved: _Solved) -> Answer:
    """Enter an answer into the record of releases, then keep it."""
    name = question.statistic.name
    record_release(store, question.statistic.key, question.month, FormerRelease({name: solved.table}, solved.spec))
    store.write(PartitionId(STAGE, name, question.month), solved.table, facts=solved.facts, inputs=state.inputs)
    return Answer(solved.table, False, solved.facts)


def _solved(
    store: PartitionStore,
    members: Sequence[Statistic],
    question: Question,
    state: _State,
    window: int,
    nearer: Sequence[Nearer],
    progress: Progress | None,
    refused: Callable[[], None],
) -> _Solved:
    """The protected table of a question; where there is none, the first of the nearer ones that can be protected."""
    asked, month = question.statistic, question.month
    _tell(progress, "counting")
    answered = _answered(store, asked, month, state.inputs)
    others = [one.question.statistic for one in nearer]
    areas = areas_of(store, [*members, *answered.statistics, asked], month)
    cells = counted_beside(store, members, [*answered.statistics, asked, *others], month)
    former = former_releases(store, asked.key, month, window)
    _tell(progress, "protecting")
    held = {member.name: store.current(PartitionId("published", member.name, month)) for member in members}
    exposed = {
        name: int(partition.facts.get("exposed", 0)) for name, partition in held.items() if partition is not None
    }
    tables = {**state.published, **answered.tables}
    beside = _Beside(members, answered, tables, cells, areas, former, exposed, state.above)
    table = _protected(beside, asked, thorough=True)
    if table is None:
        refused()
        able = (one for one in nearer if _answerable(beside, one.question.statistic))
        raise _unanswerable(month, next(able, None))
    facts = {
        "rows": table.height,
        "suppressed": table.filter(pl.col("status") == "suppressed").height,
        "minimum_frequency": asked.minimum_frequency,
        "audit_safe": True,
        "statistic": asked.model_dump(mode="json"),
    }
    return _Solved(table, facts, recorded_spec(members, asked, areas))


@dataclass(frozen=True)
class _Beside:
    """What a table is protected beside: the published tables and answers of the month, and former releases.

    Attributes:
        exposed: published table → how many of its cells former releases alone give away (decision 0048).
        above: what totals over municipalities that are out ask of the month (decision 0072).
    """

    members: Sequence[Statistic]
    answered: _Answered
    tables: Mapping[str, pl.DataFrame]
    cells: Mapping[str, pl.DataFrame]
    areas: Hierarchy | None
    former: Sequence[FormerRelease]
    exposed: Mapping[str, int]
    above: Sequence[Scenarios] = ()


def _answerable(beside: _Beside, asked: Statistic) -> bool:
    """Whether a table was answered already, or could be."""
    return asked.name in beside.answered.tables or _protected(beside, asked) is not None


def _protected(beside: _Beside, asked: Statistic, *, thorough: bool = False) -> pl.DataFrame | None:
    """The table, protected and audited with all that it stands beside; None where that cannot be.

    Args:
        thorough: where the quick way leads to none, search for proofs of what was published too: another search
            hides other cells, and may find what the first one missed.
    """
    members, others = beside.members, beside.answered.statistics
    spec = specification([*members, *others, asked], beside.areas)
    fixed = {member.name for member in (*members, *others) if member.kind == "frequency"} - {asked.name}
    tables = tuple(t.model_copy(update={"fixed": t.name in fixed}) for t in spec.tables)
    costs = spec.costs.model_copy(update={"rounds": 0})  # somebody waits
    spec = spec.model_copy(update={"tables": tables, "costs": costs})
    repeated = any(
        beside.exposed.get(name) for name in fixed
    )  # what is out alone is asked only where it tells too much
    chosen = [release for release in beside.former if repeated or not _stands(release, beside.tables, fixed)]
    former = under(spec, chosen)
    hidden = {name: beside.tables[name].filter(pl.col("status") == "suppressed").drop("value") for name in fixed}
    wanted = {name: beside.cells[name] for name in (*fixed, asked.name)}

    def shield(**quick) -> pl.DataFrame:
        return protect(spec, wanted, hidden=hidden, previous=former, **quick).tables[asked.name]

    def judge(table: pl.DataFrame) -> AuditReport:
        return audit(spec, {**beside.tables, asked.name: table}, previous=former, above=beside.above)

    table = _in_turns(shield, judge, {table.name: list(table.dimensions) for table in tables if table.fixed})
    if table is None and thorough:
        with suppress(DisclosureError):
            found = shield()
            table = found if judge(found).publishable else None
    return table


def _in_turns(
    shield: Callable[..., pl.DataFrame], judge: Callable[[pl.DataFrame], AuditReport], known: Mapping[str, list[str]]
) -> pl.DataFrame | None:
    """The table, protected and audited in turns, what was published being proven by the audit alone.

    Args:
        known: published table → its columns.
    """
    doubted: dict[str, pl.DataFrame] = {}
    with suppress(DisclosureError):
        for _ in range(DOUBTS):
            table = shield(proven=list(known), doubted=doubted)
            report = judge(table)
            if report.publishable:
                return table
            if not _doubt(doubted, report, known):
                break
    return None


def _doubt(doubted: dict[str, pl.DataFrame], report: AuditReport, known: Mapping[str, list[str]]) -> bool:
    """Add the cells of published tables that an audit found narrow; whether there were any, and nothing else."""
    before = sum(rows.height for rows in doubted.values())
    for finding in report.findings:
        if finding.rule not in NARROW or finding.table not in known:
            return False
        row = pl.DataFrame([finding.coordinates]).select(known[finding.table])
        doubted[finding.table] = pl.concat([doubted.get(finding.table, row.clear()), row]).unique(maintain_order=True)
    return sum(rows.height for rows in doubted.values()) > before


def _stands(release: FormerRelease, tables: Mapping[str, pl.DataFrame], fixed: Collection[str]) -> bool:
    """Whether fixed tables show row by row what a former release shows: then it is in the attack already."""
    counts = {table.name for table in release.spec.tables} if release.spec else {*release.tables}
    return all(name in fixed and release.tables[name].equals(tables[name]) for name in counts)


def recorded_spec(members: Sequence[Statistic], asked: Statistic, areas: Hierarchy | None) -> Spec:
    """The specification of an answer alone, each level tied to the finest that a later table may have.

    Without it, ten years of age in the record would say nothing about five in a table that is published later.
    """
    alone = specification([asked], areas)
    dimensions = dict(alone.dimensions)
    for name in asked.dimensions.values():
        if name in ("ward", "district"):
            if areas is not None:
                dimensions["district"] = dimension("district", None, None, areas)
                dimensions["ward"] = dimension("ward", "district", "district", areas)
            continue
        own = hierarchies()[name]
        known = {h for member in members for h in member.dimensions.values() if h in hierarchies()}
        siblings = {other for other in known if hierarchies()[other].source == own.source}
        finer = regrouped(name, siblings | {name}, areas)
        if finer is not None:
            dimensions[finer] = dimension(finer, None, None, areas)
            dimensions[name] = dimension(name, finer, finer, areas)
    return alone.model_copy(update={"dimensions": dimensions})


@dataclass(frozen=True)
class _Answered:
    """Answers that stand beside the present tables: what they count, and how they were given."""

    statistics: tuple[Statistic, ...]
    tables: Mapping[str, pl.DataFrame]


def _answered(store: PartitionStore, asked: Statistic, month: str, inputs: Mapping[str, str]) -> _Answered:
    """Answers of the month over the published tables as they are; older ones take part as former releases alone."""
    ids = [PartitionId(STAGE, name, month) for name in store.sources(STAGE) if name != asked.name]
    held = [(id, store.current(id)) for id in ids]
    present = [
        (id, Statistic.model_validate(partition.facts["statistic"]))
        for id, partition in held
        if partition is not None and dict(partition.inputs) == dict(inputs)
    ]
    present = [(id, statistic) for id, statistic in present if statistic.key == asked.key]
    return _Answered(tuple(statistic for _, statistic in present), {id.source: store.read(id) for id, _ in present})


def _published(store: PartitionStore, members: Sequence[Statistic], month: str) -> dict[str, pl.DataFrame]:
    """The month's published tables of the group, without their period.

    Raises:
        QuestionError: one of them is not there.
    """
    ids = [PartitionId("published", member.name, month) for member in members]
    if any(store.current(id) is None for id in ids):
        raise unready(month)
    return {id.source: store.read(id).drop("period") for id in ids}


def unready(month: str) -> QuestionError:
    """The month's statistics are not published yet, or the lake has moved on since."""
    return QuestionError(
        "the month's tables are not published as the lake now is",
        code=UNREADY,
        at={"month": month},
        remedy="wait for the month's statistics and ask again",
        ja="この月の統計はまだ準備中です。あとでもう一度お試しください",
    )


def _overtaken(month: str) -> QuestionError:
    """Other answers or publications of the month came first, each time that the answer was worked out."""
    return QuestionError(
        "other answers or publications came before this answer each time",
        code=OVERTAKEN,
        at={"month": month, "tries": TRIES},
        remedy="ask again in a while; this question is not counted",
        ja="集計中に、同じ月の別の集計や公表が続きました。しばらくしてからもう一度お試しください（回数には数えません）",
    )


def _unanswerable(month: str, offer: Nearer | None) -> Unanswerable:
    """The refusal, with the nearest question that can be answered; the portal's desk adds its words."""
    error = Unanswerable(
        "the answer could tell hidden figures beside what is published: it is not given",
        code=UNANSWERABLE,
        at={"month": month},
        remedy="ask for coarser dimensions",
        ja=UNSAFE,
    )
    error.offer = offer
    return error
