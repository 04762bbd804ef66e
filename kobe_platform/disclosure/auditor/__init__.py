"""The auditor: attacks published tables as an outsider would, with nothing but them and the specification.

Written apart from the suppressor: it reads, arranges and solves by itself. It shares the plain specification and the
shape of a former release, and of scenarios.
"""

from kobe_platform.disclosure.auditor.dispatch import audit
from kobe_platform.disclosure.auditor.scenarios import Together, find_scenarios
from kobe_platform.disclosure.auditor.verdict import AuditReport, Finding

__all__ = ["AuditReport", "Finding", "Together", "audit", "find_scenarios"]
