"""Reads contracts: a source's columns and codes, their sensitivity, the rule applied to each, and the legal basis.

``columns`` is the registry of abstraction rules as models, ``model`` the contract, ``loading`` reads the files.

The contracts themselves are data (``assets/contracts``). Rules are carried out in ``intake.extracts`` and
``abstraction``.
"""

from kobe_platform.contracts.columns import Column
from kobe_platform.contracts.loading import legal_register, load_contract, load_contracts
from kobe_platform.contracts.model import Contract, Dates, Layout

__all__ = ["Column", "Contract", "Dates", "Layout", "legal_register", "load_contract", "load_contracts"]
