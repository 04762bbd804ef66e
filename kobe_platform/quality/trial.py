"""Tries a contract on a few generated rows, so that its faults are found before the first delivery.

The rows follow from the contract itself: its codes, digits, eras and wards, and some texts that no contract foresees.
They pass through screening, abstraction and the quality suite as a delivery does. Nobody is in them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from kobe_platform.abstraction import abstract
from kobe_platform.contracts import Column, Contract
from kobe_platform.contracts import columns as rules
from kobe_platform.contracts.model import Thresholds
from kobe_platform.errors import ConfigurationError, DeliveryRejected, PlatformError
from kobe_platform.intake.extracts.bytewise import ByteColumns
from kobe_platform.intake.extracts.code_systems import LOCAL_GOVERNMENT
from kobe_platform.intake.extracts.screening import Screening
from kobe_platform.intake.extracts.taking import Taken, screened
from kobe_platform.quality.judging import judge, settled
from kobe_platform.quality.suite import Known, expectations
from kobe_platform.quality.tally import Tally
from kobe_platform.trials import Trials
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary.courses import load_courses

MONTH = "2025-07"
ROWS = 24
ODD = ("", "？？", "-1", "9" * 12)
"""Texts that no contract foresees; they stand in as few rows as intake lets pass."""
_DAYS = ("2025-07-01", "2025-07", "2025")
_CANDIDATES = ("", *_DAYS, "A", "a", "A1", "A01", "亜", *("1" * digits for digits in range(1, 16)))
_OF_REFERENCES = {"valid_from": "2000-04-01", "valid_to": "", "lot_from": "", "lot_to": ""}


def try_contracts(contracts: Mapping[str, Contract], trials: Trials | None = None) -> None:
    """Run every contract of an installation over its generated rows, unless the same passed before.

    Args:
        trials: what passed before on this installation; by default only what passed in this process.

    Raises:
        ConfigurationError: ``contract.trial`` with the source, and the column and rule that could not be carried out.
    """
    trials = trials or Trials()
    texts = {_whole(contract, contracts): contract for contract in contracts.values()}
    untried = trials.untried(texts)
    for text in untried:
        try_contract(texts[text], contracts)
    trials.passed(untried)


def _whole(contract: Contract, contracts: Mapping[str, Contract]) -> str:
    """All that the trial of a contract reads: itself and the contracts that it names, as far as they are there."""
    others = [contracts[name] for name in (*contract.references, *contract.needs) if name in contracts]
    return "\n".join(["contract", *(one.model_dump_json(by_alias=True) for one in (contract, *others))])


def try_contract(contract: Contract, contracts: Mapping[str, Contract]) -> None:
    """Run one contract over its generated rows, beside those of the sources that it reads; errors as above."""
    try:
        carried_through(contract, contracts)
    except PlatformError as error:
        at = error.at if not isinstance(error, DeliveryRejected) else error.at | {"rule": error.code}
        raise _refused(contract, at) from None
    except Exception as error:
        raise _refused(contract, {"error": type(error).__name__}) from None


def _refused(contract: Contract, at: Mapping[str, str | int]) -> ConfigurationError:
    told = {name: at[name] for name in ("column", "rule", "error", "reference", "companion") if name in at}
    return ConfigurationError(
        "a contract does not run over rows that were generated from it",
        code="contract.trial",
        at={"file": f"{contract.name}.toml", **told},
        remedy="compare the column's parameters with docs/contracts.md",
        ja="契約から生成した試験データを処理できません",
    )


def carried_through(contract: Contract, contracts: Mapping[str, Contract]) -> pl.DataFrame:
    """The generated rows of a contract as the lake (of public sources: intake) would hold them, its suite judged."""
    taken = sample(contract)
    if contract.sensitivity == "public":
        return taken.frame
    references = {name: sample(contracts[name]).frame for name in contract.references}
    companions = {name: sample(contracts[name]).frame for name in contract.needs}
    made = abstract(
        taken.frame,
        contract,
        month=MONTH,
        references=references,
        companions=companions,
        pseudonym_key=lambda purpose: hashlib.sha256(purpose.encode()).digest(),
    )
    tally = Tally(made.frame)
    suite = settled(expectations(contract, Known(MONTH, references)), tally)
    judge(contract.name, suite, tally)
    return made.frame


def sample(contract: Contract) -> Taken:
    """Generated rows of a contract, as intake takes them; those that do not meet a pattern are set aside.

    Raises:
        DeliveryRejected: the contract refuses the rows that were generated from it.
    """
    between = {"sums": (), "totals": (), "complete": ()}  # generated figures neither add up nor are they all there
    lenient = contract.model_copy(update={"thresholds": Thresholds(set_aside=1), **between})
    columns = {column.id: _texts(contract, column) for column in contract.columns}
    for column in contract.columns:
        if only_for := getattr(column, "only_for", None):
            other = contract.column(only_for["column"])
            assert isinstance(other, rules.MappedCodes)  # the contract was refused otherwise
            codes = columns[other.id]
            holds = [other.mapping.get(code, other.other) == only_for["value"] for code in codes]
            columns[column.id] = [text if has else "" for text, has in zip(columns[column.id], holds, strict=True)]
    rows = pl.DataFrame({name: pl.Series(texts, dtype=pl.String).cast(pl.Binary) for name, texts in columns.items()})
    rows = rows.unique(list(contract.key), keep="first", maintain_order=True) if contract.key else rows
    table = pa.table({name: rows[name].to_arrow().cast(pa.binary()) for name in rows.columns})
    kind = contract.kinds[0]
    return screened(Screening(ByteColumns.of(table), lenient, "utf-8", MONTH, kind, lambda row: {"line": row + 1}))


def _texts(contract: Contract, column: Column) -> list[str]:
    """One text a row: what the rule foresees in turn, then the odd ones; keys are whole and differ."""
    if column.digits:
        return [str(row).zfill(column.digits)[-column.digits :] for row in range(ROWS)]
    if isinstance(column, rules.Pseudonym | rules.History):
        return [str(row + 1) for row in range(ROWS)]
    foreseen = list(_FORESEEN.get(type(column), _any)(contract, column)) or [""]
    odd = () if isinstance(column, rules.Never) or column.id in contract.key else ODD
    turns = ROWS - len(odd)
    apart = contract.columns.index(column) + 1  # else columns with as many codes would always go together
    return [foreseen[row // apart % len(foreseen)] for row in range(turns)] + list(odd)


def _any(contract: Contract, column: Column) -> Iterable[str]:
    """A place where a rule of places reads it; else a date, a number and a code, for nothing tells what it holds."""
    for reader in contract.having(rules.CoarseArea):
        if column.id in reader.prefer:
            return _places(contract, reader)
    return ("20250715", "1", "28201", "")


def _dates(contract: Contract, column: Column) -> Iterable[str]:
    eras = [f"{code.zfill(contract.dates.era_digits)}070715" for code in contract.dates.eras]
    return ("20250715", *([] if isinstance(column, rules.EventMonth) else eras))


def _places(contract: Contract, column: rules.CoarseArea) -> Iterable[str]:
    return (
        ("281018", "282014", "131016", "")
        if column.system == LOCAL_GOVERNMENT
        else ("28101", "28201", "13101", "13", "")
    )


def _keep(contract: Contract, column: rules.Keep) -> Iterable[str]:
    if column.listed:
        return column.listed[:3]
    wanted = {**_OF_REFERENCES, "ward_code": vocabulary.wards()[0], "town_code": f"{vocabulary.wards()[0]}001000"}
    listed = re.sub(r"[\^$()]", "", column.pattern or "").split("|")
    candidates = [wanted.get(column.to, ""), *_CANDIDATES, *listed]
    return [text for text in candidates if column.pattern is None or re.search(column.pattern, text)][:3]


def _day(contract: Contract, column: rules.Day) -> Iterable[str]:
    return (_OF_REFERENCES.get(column.to) or ("2025-07-31" if column.day == "last" else "2025-07-01"),)


def _number(contract: Contract, column: rules.Number) -> Iterable[str]:
    if column.to in _OF_REFERENCES:
        return (_OF_REFERENCES[column.to],)
    return [str(number) for number in (column.least, column.most, *column.breaks) if number is not None] or ["1"]


_FORESEEN: Mapping[type[Column], Callable[[Contract, Any], Iterable[str]]] = {
    rules.Never: lambda contract, column: ("",),
    rules.Drop: lambda contract, column: ("x",),
    rules.MappedCodes: lambda contract, column: column.mapping,
    rules.Keep: _keep,
    rules.Day: _day,
    rules.Number: _number,
    rules.Age: _dates,
    rules.Duration: _dates,
    rules.EventMonth: _dates,
    rules.Area: lambda contract, column: [f"{ward}001000" for ward in vocabulary.wards()],
    rules.CoarseArea: _places,
    rules.Filter: lambda contract, column: [*column.keep, *column.keep, *column.codes],
    rules.Protection: lambda contract, column: [*column.released, *column.protected],
    rules.Relationship: lambda contract, column: column.codes,
    rules.Reason: lambda contract, column: column.codes,
    rules.Attainment: lambda contract, column: load_courses().courses,
}
