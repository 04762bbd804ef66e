"""Reads contracts from TOML files, one for each source, and refuses missing or wrong keys by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kobe_platform.contracts.consistency import faults, neighbour_faults
from kobe_platform.contracts.model import Contract
from kobe_platform.contracts.places import line_of
from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.codes import LISTS
from kobe_platform.vocabulary.municipality import localized


def load_contracts(directory: Path) -> dict[str, Contract]:
    """Every contract of a directory by source name.

    Raises:
        ConfigurationError: ``contract.invalid`` (file, line, place and reason), ``contract.legal``, ``contract.needs``.
    """
    contracts: dict[str, Contract] = {}
    for path in sorted(Path(directory).glob("*.toml")):
        contract = load_contract(path)
        if contract.name != path.stem:
            raise _invalid(path, "name", "the file is named otherwise than the contract")
        contracts[contract.name] = contract
    for contract in contracts.values():
        _fits(contract, Path(directory) / f"{contract.name}.toml", contracts)
    return contracts


def load_contract(path: Path) -> Contract:
    """One contract.

    Raises:
        ConfigurationError: as :func:`load_contracts`.
    """
    try:
        table = tomllib.loads(localized(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, "syntax", str(error)) from None
    return contract_of(table, path)


def contract_of(table: Mapping[str, Any], path: Path, contracts: Mapping[str, Contract] | None = None) -> Contract:
    """A contract from what its file says.

    Args:
        contracts: other sources that it may name; without them it is not compared with any.

    Raises:
        ConfigurationError: as :func:`load_contracts`.
    """
    try:
        contract = Contract.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in _named(first["loc"], table))
        raise _invalid(path, place or "contract", first["msg"]) from None
    for place, reason in faults(contract):
        raise _invalid(path, place, reason)
    _legal(contract, path)
    if contracts is not None:
        _fits(contract, path, contracts)
    return contract


def _fits(contract: Contract, path: Path, contracts: Mapping[str, Contract]) -> None:
    _neighbours_exist(contract, path, contracts)
    for place, reason in neighbour_faults(contract, contracts):
        raise _invalid(path, place, reason)


def _named(loc: tuple[Any, ...], table: Mapping[str, Any]) -> list[Any]:
    """The place of an error with the column's id instead of its number."""
    parts = list(loc)
    columns = table.get("columns")
    if len(parts) > 1 and parts[0] == "columns" and isinstance(parts[1], int) and isinstance(columns, list):
        parts[1] = columns[parts[1]].get("id", parts[1])
    return parts


def _invalid(path: Path, place: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"a contract does not say what it must: {reason}",
        code="contract.invalid",
        at={"file": path.name, **line_of(path, place), "place": place},
        remedy="see docs/contracts.md",
    )


@cache
def legal_register() -> Mapping[str, Mapping[str, Any]]:
    """``bases`` and ``laws`` of ``assets/vocabulary/legal_bases.toml`` by identifier."""
    with (LISTS / "legal_bases.toml").open("rb") as file:
        return tomllib.load(file)


def _legal(contract: Contract, path: Path) -> None:
    register, legal = legal_register(), contract.legal
    unknown = [name for name in legal.other_law if name not in register["laws"]]
    if legal.basis not in register["bases"] or unknown:
        raise _refused(path, "the legal basis or another law is not in the register of legal bases")
    if (legal.basis == "public") != (contract.sensitivity == "public"):
        raise _refused(path, "the basis `public` belongs to public sources, and to them only")
    if register["bases"][legal.basis].get("consultation", False) != (legal.consultation is not None):
        raise _refused(path, "a basis that is a consultation names it, and no other does")
    if contract.sensitivity == "personal" and not (legal.purpose.strip() and legal.retention_months):
        raise _refused(path, "`purpose` and `retention_months` are left out")
    forbidding = [name for name in legal.other_law if register["laws"][name]["forbids"]]
    if forbidding and not legal.lifted_by:
        raise _refused(path, f"{forbidding[0]} forbids the use and `lifted_by` names nothing that allows it")


def _refused(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"a contract has no legal ground: {reason}",
        code="contract.legal",
        at={"file": path.name},
        remedy="choose from assets/vocabulary/legal_bases.toml, with the section that owns the data",
    )


def _neighbours_exist(contract: Contract, path: Path, contracts: Mapping[str, Contract]) -> None:
    protection = contract.protection
    companion = (protection.companion,) if protection and protection.companion else ()
    for name in (*contract.needs, *contract.references, *companion):
        if name not in contracts:
            raise ConfigurationError(
                "a contract needs a source that has no contract",
                code="contract.needs",
                at={"file": path.name, "contract": contract.name, "source": name},
                remedy="add the contract of that source",
            )
    if companion and companion[0] not in contract.needs:
        raise ConfigurationError(
            "the companion that protection is looked up in is not among `needs`",
            code="contract.needs",
            at={"file": path.name, "contract": contract.name, "source": companion[0]},
            remedy="add it to needs",
        )
