"""Lays a difference (異動差分) over the raw rows of the month before, and reconciles the next full extract with both.

What a difference gives is what a full extract of its month would hold: of several versions of a record the largest
history number is in force, of two with the same number the later delivery's; records whose state has ended (moved out,
died, deleted by mistake) are gone. So everything downstream is as for a full extract.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kobe_platform.abstraction.versions import number
from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Filter, History
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.extracts.bytewise import ByteColumns
from kobe_platform.reception.vintages import _no_key, as_names, counted, fingerprints


@dataclass(frozen=True, repr=False)
class Laid:
    """A month's raw rows, made from those of the month before and a difference.

    Attributes:
        frame: as :class:`kobe_platform.intake.extracts.Taken` has it.
        superseded: rows of both that are not in force any more.
        ended: rows whose state has ended, by ``column.state``; they are left out too, also where the base had them: a
            full extract of the next month would not.
        counts: ``base_rows``, ``rows`` (of the difference), ``added``, ``changed``, ``same`` (sent without a change),
            ``older`` (sent with a smaller history number than the one in force), ``ended``.
    """

    frame: pl.DataFrame
    superseded: int
    ended: dict[str, int]
    counts: dict[str, int]


def overlay(former: pl.DataFrame, changes: pl.DataFrame, contract: Contract, month: str) -> Laid:
    """A difference laid over the raw rows that it follows.

    Only records that the difference names are sorted and compared, so the work grows with the difference, but for one
    look at all keys and states.

    Args:
        former, changes: raw frames of one source; the encodings of their rows may differ.
        month: the difference's.

    Raises:
        ConfigurationError: ``extracts.overlay``: the contract has changed in between; ask for a full extract.
    """
    if former.columns != changes.columns:
        raise ConfigurationError(
            "a difference has other columns than the extract that it follows",
            code="extracts.overlay",
            at={"source": contract.name, "columns": len(changes.columns), "former_columns": len(former.columns)},
            remedy="take in a full extract under the present contract first",
            ja="差分の項目が、重ねる全件の項目と異なります",
        )
    old, new = (_records(frame, contract, month) for frame in (former, changes))
    named = old.join(new.select("key").unique(), on="key", how="semi")
    both = pl.concat([named.with_columns(sent=pl.lit(0, pl.Int8)), new.with_columns(sent=pl.lit(1, pl.Int8))])
    latest = both.sort("key", "version", "sent", "row").unique("key", keep="last", maintain_order=True)
    living = latest.filter(pl.col("state").is_null())
    chosen = living.filter(pl.col("sent") == 1)["row"].sort()
    stays = living.filter(pl.col("sent") == 0)["row"]
    others = old.join(named, on="row", how="anti")
    left = pl.concat([others.filter(pl.col("state").is_null())["row"], stays]).sort()
    frame = pl.concat([former[left], changes[chosen]], rechunk=True)
    ended = _ended(pl.concat([latest.drop("sent"), others]))
    superseded = former.height + changes.height - frame.height - sum(ended.values())
    return Laid(frame, superseded, ended, _counts(former, changes, named, latest, contract, month))


def _ended(records: pl.DataFrame) -> dict[str, int]:
    """Records whose state has ended, by state."""
    return dict(records.filter(pl.col("state").is_not_null()).group_by("state").len().sort("state").iter_rows())


def _counts(
    former: pl.DataFrame,
    changes: pl.DataFrame,
    named: pl.DataFrame,
    latest: pl.DataFrame,
    contract: Contract,
    month: str,
) -> dict[str, int]:
    """What became of the records that a difference names."""
    living = latest.filter(pl.col("state").is_null() & (pl.col("sent") == 1))
    known = living.join(named.select("key").unique(), on="key", how="semi")
    before, after = (fingerprints(frame, contract, month) for frame in (former[named["row"]], changes[known["row"]]))
    same = after.join(before, on=["identity", "content"], how="semi").height
    return {
        "base_rows": former.height,
        "rows": changes.height,
        "added": living.height - known.height,
        "changed": known.height - same,
        "same": same,
        "older": int((latest["sent"] == 0).sum()),
        "ended": int(latest["state"].is_not_null().sum()),
    }


def _records(frame: pl.DataFrame, contract: Contract, month: str) -> pl.DataFrame:
    """``row``, ``key`` (text), ``version`` and ``state`` (``column.name`` where it has ended) of raw rows."""
    working = Working(ByteColumns.of(frame), contract, month, {}, {}, _no_key)
    key = pl.DataFrame([working.text(name) for name in contract.key])
    history = next(iter(contract.having(History)), None)
    one = pl.Series([0], dtype=pl.Int64).new_from_index(0, frame.height)
    state = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    for column in contract.having(Filter):
        texts = working.texts(column.id)
        names = {code: f"{column.id}.{name}" for code, name in column.codes.items()}
        ends = texts.spread(texts.values.replace_strict(names, default=None, return_dtype=pl.String))
        state = state.zip_with(state.is_not_null(), ends)
    return pl.DataFrame(
        {
            "key": key.select(pl.concat_str(pl.all(), separator="\x1f")).to_series(),
            "version": (number(working, history.id) if history else one).fill_null(-1),
            "state": state,
        }
    ).with_row_index("row")


@dataclass(frozen=True)
class Reconciliation:
    """What came of comparing a full extract with base and differences.

    Attributes:
        compared: records that are in either.
        by_kind: ``differing`` and ``behind`` are judged; ``came`` and ``went`` are told where the full extract is of
            the month after, whose own changes they are.
        by_ward: ward → the same.
    """

    compared: int
    by_kind: dict[str, int]
    by_ward: dict[str, dict[str, int]]

    @property
    def wrong(self) -> int:
        """Records that are not what base and differences say."""
        return self.by_kind["differing"] + self.by_kind["behind"]

    def within(self, tolerance: float) -> bool:
        """Whether no more than a share of the records is wrong."""
        return self.wrong <= tolerance * self.compared

    @property
    def facts(self) -> dict[str, object]:
        """Counts for receipts and for Dagster."""
        return {"compared": self.compared, **self.by_kind, "by_ward": as_names(self.by_ward)}


def reconcile(
    laid: pl.DataFrame, full: pl.DataFrame, contract: Contract, month: str, *, same_month: bool
) -> Reconciliation:
    """Compare a full extract with the raw rows that a difference gave; only present residents count.

    Args:
        laid: raw rows made from base and differences, of the same month or of the month before.
        same_month: of the same month every record must be the same. Else a record with the same history number must be
            the same, and none may have a smaller one; who came or went is the month's own change, which the check
            ``stock_and_flow`` compares with the events.
    """
    before, after = (fingerprints(frame, contract, month, present=True) for frame in (laid, full))
    joined = after.join(before, on="identity", how="full", suffix="_former")
    came, went = pl.col("identity_former").is_null(), pl.col("identity").is_null()
    other = ~came & ~went & (pl.col("content") != pl.col("content_former"))
    older = ~came & ~went & (pl.col("version") < pl.col("version_former"))
    if same_month:
        kinds = {"differing": (other | came | went) & ~older.fill_null(False), "behind": older}
    else:
        alike = pl.col("version") == pl.col("version_former")
        kinds = {"differing": other & alike, "behind": older, "came": came, "went": went}
    return Reconciliation(joined.height, *counted(joined, kinds))
