"""Disclosure control: nobody can be worked out from what is published.

:func:`protect` suppresses, :func:`audit` attacks what :func:`protect` made; both read a :class:`Spec`.
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
    from kobe_platform.disclosure.former import FormerRelease
    from kobe_platform.disclosure.protection import Protected, Report, TableReport, protect

__all__ = [
    "PUBLISHED", "SUPPRESSED", "Attack", "AuditReport", "Combination", "Costs", "Dimension", "Finding",
    "FormerRelease", "Inclusion", "Mean", "Members", "Previous", "Protected", "Relation", "Report", "Rule", "Spec",
    "Table", "TableReport", "Term", "audit", "protect",
]  # fmt: skip

_ROOMS = {
    "auditor": ("AuditReport", "Finding", "audit"),
    "former": ("FormerRelease",),
    "protection": ("Protected", "Report", "TableReport", "protect"),
}
"""What brings solvers with it, by module: loaded when it is used, as a specification is read without them."""


def __getattr__(name: str) -> object:
    return attribute(__name__, _ROOMS, name)
