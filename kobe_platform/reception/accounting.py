"""Accounts for the rows of a delivery over all steps: rows = kept + set aside + superseded + filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

_BY_RULE = ("set_aside", "warned", "filtered", "normalised")
LAID, RECONCILED = "laid", "reconciled"
"""Facts of a raw partition: how a difference was laid over its base; what came of reconciling a full extract."""
_PASSED_ON = (LAID, RECONCILED)
"""Facts of the first step that the later ones tell, too."""
WORDS = {
    "added": "追加", "removed": "削除", "changed": "変更", "differing": "相違", "behind": "古い版", "came": "増えた",
    "went": "減った", "ended": "終わった", "same": "変更なし", "older": "前より古い", "rows": "行数",
    "former_rows": "前回の行数", "base_rows": "前月の行数", "compared": "照合した件数", "allowed": "許容する増減",
}  # fmt: skip
"""Names of counts, as screens have them."""


def balance(facts: Mapping) -> int:
    """Delivered rows that the facts do not explain; 0 where everything is accounted for."""
    explained = int(facts["kept"]) + int(facts.get("superseded", 0))
    explained += sum(facts.get("set_aside", {}).values()) + sum(facts.get("filtered", {}).values())
    return int(facts["rows"]) - explained


def combined(earlier: Mapping, later: Mapping) -> dict[str, object]:
    """Facts of two steps in a row as one: delivered rows of the first, kept rows of the second, all that fell between.

    Args:
        earlier, later: facts whose ``earlier["kept"] == later["rows"]``.
    """
    both: dict[str, object] = {"rows": earlier["rows"], "kept": later["kept"]}
    both["superseded"] = int(earlier.get("superseded", 0)) + int(later.get("superseded", 0))
    both |= {name: earlier[name] for name in _PASSED_ON if name in earlier}
    for name in _BY_RULE:
        both[name] = dict(sorted((Counter(earlier.get(name, {})) + Counter(later.get(name, {}))).items()))
    return both


def befallen(facts: Mapping) -> dict[str, int]:
    """Rule → rows that it set aside, filtered, warned of or put right."""
    counted: Counter[str] = Counter()
    for name in _BY_RULE:
        counted.update(facts.get(name, {}))
    return dict(counted)
