"""Protects published tables: hides cells so that no small count can be computed from the rest, and audits the result.

:func:`protect` hides cells with few people (primary suppression), and further cells so that the first cannot be
computed from sums (secondary suppression). :func:`audit` attacks the result of :func:`protect`. Both read a
:class:`Spec`: tables, hierarchies, rules, relations.

Counting, the platform's own tables and their relations are in ``statistics``; nothing here depends on a city.
"""

from typing import TYPE_CHECKING

from kobe_platform.disclosure.spec import (
    PUBLISHED,
    SUPPRESSED,
    Attack,
    Combination,
    Costs,
    Dimension,
    Inclusion,
    Mean,
    Members,
    Previous,
    Relation,
    Rule,
    Spec,
    Table,
    Term,
)
from kobe_platform.lazily import attribute

if TYPE_CHECKING:
    from kobe_platform.disclosure.auditor import AuditReport, Finding, Together, audit, find_scenarios
    from kobe_platform.disclosure.previous_release import FormerRelease
    from kobe_platform.disclosure.protection import Protected, ProtectionReport, TableReport, protect

__all__ = [
    "PUBLISHED",
    "SUPPRESSED",
    "Attack",
    "AuditReport",
    "Combination",
    "Costs",
    "Dimension",
    "Finding",
    "FormerRelease",
    "Inclusion",
    "Mean",
    "Members",
    "Previous",
    "Protected",
    "ProtectionReport",
    "Relation",
    "Rule",
    "Spec",
    "Table",
    "TableReport",
    "Term",
    "Together",
    "audit",
    "find_scenarios",
    "protect",
]  # fmt: skip

_ROOMS = {
    "auditor": ("AuditReport", "Finding", "Together", "audit", "find_scenarios"),
    "previous_release": ("FormerRelease",),
    "protection": ("Protected", "ProtectionReport", "TableReport", "protect"),
}
"""What brings solvers with it, by module: loaded when it is used, as a specification is read without them."""


def __getattr__(name: str) -> object:
    return attribute(__name__, _ROOMS, name)
