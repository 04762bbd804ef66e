"""Disclosure control: nobody can be worked out from what is published.

:func:`protect` suppresses, :func:`audit` attacks what :func:`protect` made; both read a :class:`Spec`.
"""

from kobe_platform.disclosure.auditor import AuditReport, Finding, audit
from kobe_platform.disclosure.former import FormerRelease
from kobe_platform.disclosure.protection import Protected, Report, TableReport, protect
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

__all__ = [
    "PUBLISHED", "SUPPRESSED", "Attack", "AuditReport", "Combination", "Costs", "Dimension", "Finding",
    "FormerRelease", "Inclusion", "Mean", "Members", "Previous", "Protected", "Relation", "Report", "Rule", "Spec",
    "Table", "TableReport", "Term", "audit", "protect",
]  # fmt: skip
