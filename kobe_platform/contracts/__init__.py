"""Contracts: models of what a core system hands over: its columns and codes, their sensitivity, rules and legal basis.

``columns`` is the registry of abstraction rules as models, ``model`` the contract, ``loading`` reads the files.

The contracts themselves are data (``assets/contracts``). Carrying out a rule is the matter of ``extracts`` and
``abstraction``.
"""

from kobe_platform.contracts.columns import Column
from kobe_platform.contracts.loading import legal_register, load_contract, load_contracts
from kobe_platform.contracts.model import Contract, Dates, Layout

__all__ = ["Column", "Contract", "Dates", "Layout", "legal_register", "load_contract", "load_contracts"]
