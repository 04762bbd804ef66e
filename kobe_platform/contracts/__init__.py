"""Contracts: what a core system hands over: columns, codes, sensitivity, abstraction rule, law.

``columns`` is the registry of abstraction rules as models, ``model`` the contract, ``loading`` reads the files.
"""

from kobe_platform.contracts.columns import Column
from kobe_platform.contracts.loading import legal_register, load_contract, load_contracts
from kobe_platform.contracts.model import Contract, Dates, Layout

__all__ = ["Column", "Contract", "Dates", "Layout", "legal_register", "load_contract", "load_contracts"]
