"""Disclosure control: nobody can be worked out from what is published.

:func:`protect` hides the cells of tables that would tell of few people, and others so that those cannot be worked out.
:func:`audit` attacks what :func:`protect` made. Both read a :class:`Spec`: tables, hierarchies, rules, relations.

Counting, the platform's own tables and their relations stand in ``statistics``; this room knows no source and no city.
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
    from kobe_platform.disclosure.auditor import AuditReport, Finding, audit
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
    "audit",
    "protect",
]  # fmt: skip

_ROOMS = {
    "auditor": ("AuditReport", "Finding", "audit"),
    "previous_release": ("FormerRelease",),
    "protection": ("Protected", "ProtectionReport", "TableReport", "protect"),
}
"""What brings solvers with it, by module: loaded when it is used, as a specification is read without them."""


def __getattr__(name: str) -> object:
    return attribute(__name__, _ROOMS, name)
