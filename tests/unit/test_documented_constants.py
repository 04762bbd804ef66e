"""A number that a document promises about secrecy is the number that the code holds: each is read from both.

A row fails when the code changes and the document does not, and when the document no longer says it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kobe_platform.custody import aws, keys
from kobe_platform.disclosure import Attack, Costs, Rule, model
from kobe_platform.disclosure import joints as engine_joints
from kobe_platform.disclosure.auditor import contributors
from kobe_platform.disclosure.auditor import joints as auditor_joints
from kobe_platform.disclosure.auditor import singletons as auditor_members
from kobe_platform.disclosure.methods import cell_key, contributions, magnitudes
from kobe_platform.disclosure.methods.perturbation import perturbation_table
from kobe_platform.disclosure.suppression import cell_protection, wishes
from kobe_platform.disclosure.suppression import search as suppression
from kobe_platform.forecasts import intervals, judging, learned
from kobe_platform.governance import guesses
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.statistics import groups, load_statistics, means
from kobe_platform.statistics.compute import LEAST
from kobe_platform.statistics.history import WINDOW
from kobe_platform.statistics.protection import specification
from kobe_platform.unusual import judging as unusual
from kobe_platform.unusual import months as usual_months
from kobe_platform.web.config import SignIn

DOCS = Path(__file__).resolve().parents[2] / "docs"
STATISTICS = load_statistics(Settings().statistics)
MEMBERS = [s for s in groups(STATISTICS.values())["stocks/month"] if not s.by_district]
PLATFORM = specification(MEMBERS, None)
WORDS = {
    "twice": 2,
    "three": 3,
    "five": 5,
    "half": 0.5,
    "off": False,
    "false": False,
    "a thousand": 1000,
    "a tenth": 0.1,
}

RULES = {
    "false discoveries, %": ("unusual.md", r"false-discovery rate (\d+) %", 100 * unusual.FALSE_DISCOVERY),
    "listed changes": ("unusual.md", r"at most (\d+) \|", unusual.MOST_LINES),
    "least figure that is judged": ("unusual.md", r"expected figures below (\d+);", unusual.LEAST),
    "counts that are judged as such": ("unusual.md", r"fewer than (\d+) are expected", unusual.SMALL),
    "usual share, %": ("unusual.md", r"what (\d+) % of figures lie in", 100 * unusual.USUAL),
    "months of usual ranges": ("unusual.md", r"says of up to (\d+) months before", usual_months.HISTORY),
    "errors of an interval": ("forecasts.md", r"Fewer than (\d+) errors give no interval", intervals.FEWEST_ERRORS),
    "origins of a back-test": ("forecasts.md", r"fewer than (\d+) origins", judging.FEWEST_ORIGINS),
    "narrow coverage": ("forecasts.md", r"coverage below (\d+) or above", judging.COVERAGE[0]),
    "wide coverage": ("forecasts.md", r"coverage below \d+ or above (\d+) %", judging.COVERAGE[1]),
    "level of an interval": ("forecasts.md", r"⌈([\d.]+) \(n \+ 1\)⌉", intervals.LEVEL),
    "months of smoothing": ("forecasts.md", r"fewer than (\d+) months without a gap", learned.FEWEST_MONTHS),
    # the engine's defaults, as the specification is explained
    "k": ("disclosure.md", r"minimum_frequency = (\d+) +# k", Rule().minimum_frequency),
    "width": ("disclosure.md", r"interval_width = (\d+) +# default: k", Rule().width),
    "zeros": ("disclosure.md", r'zeros = "(\w+)" +# or', Rule().zeros),
    "costs by": ("disclosure.md", r'by = "(\w+)"', Costs().by),
    "costs of totals": ("disclosure.md", r"totals = ([\d.]+) +#", Costs().totals),
    "costs of last month's": ("disclosure.md", r"keep = ([\d.]+) +#", Costs().keep),
    "costs of last month's, decided": ("decisions/0008*", r"they only\s+cost (half)", Costs().keep),
    "member": ("disclosure.md", r"member = (\w+) +#", Attack().member),
    # what the platform sets
    "member, platform": ("disclosure.md", r"default and platform: (\w+)", PLATFORM.attack.member),
    "k, platform": ("statistics.md", r"k = (\d+) with complementary", PLATFORM.rule.minimum_frequency),
    "factor of totals": ("decisions/0007*", r"sets the factor to (\d+)", PLATFORM.costs.totals),
    "window": ("decisions/0011*", r"\((\d+) months before the newest\)", WINDOW),
    "window, setting": ("statistics.md", r"`KOBE_HISTORY_MONTHS` \((\d+)\)", Settings().history_months),
    "decimals of means": ("statistics.md", r"rounded to (0\.\d+), hidden", 10.0**-means.DECIMALS),
    "mean of so many": ("statistics.md", r"from (\d+) persons on", STATISTICS["mean_age"].minimum_frequency),
    "smallest district": ("disclosure.md", r"fewer than (\d+) households", LEAST),
    # limits of method
    "joint cells": ("disclosure.md", r"more than ([\d,]+) cells \(published", auditor_joints.MOST_JOINT_CELLS),
    "joint cells, engine": ("decisions/0020*", r"stop at ([\d,]+) cells", engine_joints.MOST_JOINT_CELLS),
    "tidied": ("disclosure.md", r"up to ([\d,]+) complementary cells", suppression.MOST_TIDIED),
    "tidied, decided": ("decisions/0008*", r"at most ([\d,]+)\. Above|are at most ([\d,]+)", suppression.MOST_TIDIED),
    "reweighted": ("disclosure.md", r"Small programs \(up to ([\d,]+) columns\)", cell_protection.LARGEST_REWEIGHTED),
    "reweighted, decided": (
        "decisions/0007*",
        r"program of up to ([\d,]+) columns",
        cell_protection.LARGEST_REWEIGHTED,
    ),
    "reweightings": ("decisions/0007*", r"solved up to\s+(\w+) more", cell_protection.REWEIGHTINGS),
    "draws for members": ("decisions/0018*", r"in\s+(\w+) random solutions", auditor_members.DRAWS),
    "largest sum": ("disclosure.md", r"whole numbers up to 2\^(\d+)", magnitudes.LARGEST_TOTAL.bit_length() - 1),
    "wish to keep": ("disclosure.md", r"cheaper than (a thousand) ordinary cells", wishes.WISHES["keep"]),
    "wish to yield": ("disclosure.md", r"\((a tenth) of the cost\)", wishes.WISHES["yield"]),
    "cells of one contributor": ("disclosure.md", r"these together up to (\w+) cells", contributors.FEW),
    "cells of one contributor, engine": ("disclosure.md", r"these together up to (\w+) cells", contributions.FEW),
    "cells of a table": ("disclosure.md", r"more than (\d+) million is refused before", model.MOST_CELLS / 1_000_000),
    "cell-key secret": ("disclosure.md", r"`--key FILE` \((\d+) random bytes", cell_key.LEAST_SECRET),
    "cell-key certainty": (
        "disclosure.md",
        r"\(in the record; (\d+) % for D = 12, V = 25, k = 10\)",
        round(100 * perturbation_table(12, 25.0, 10).most_certain()),
    ),
    # keys, passwords, deletion
    "passphrase": ("custody.md", r"at\s+least (\d+) characters", keys.LEAST_PASSPHRASE),
    "Argon2id, memory": ("custody.md", r"\((\d+) MiB, 3 passes", keys.ARGON2ID["memory_cost"] // 1024),
    "Argon2id, passes": ("custody.md", r"64 MiB, (\d+) passes", keys.ARGON2ID["iterations"]),
    "Argon2id, lanes": ("custody.md", r"3 passes, (\d+) lanes", keys.ARGON2ID["lanes"]),
    "deletion of KMS keys": ("custody.md", r"deleted by KMS after (\d+) days", aws.DELETION_DAYS),
    "raw days": ("custody.md", r"`KOBE_RAW_DAYS` \((\d+)\)", Settings().raw_days),
    "failures": ("security.md", r"(\w+) failures lock that address", guesses.MOST_FAILURES),
    "locked": ("security.md", r"out of the account for (\d+) minutes", guesses.LOCKED.total_seconds() / 60),
    "failures of strange addresses": ("security.md", r"(\d+) from strange addresses lock", guesses.MOST_ELSEWHERE),
    "failures of an address": ("security.md", r"(\d+) failures a minute and address", SignIn().attempts),
}
"""What → (document, how it says it, what the code holds)."""


def said(document: str, pattern: str) -> object:
    """The number or word that a document gives."""
    (path,) = DOCS.glob(document)
    found = re.search(pattern, path.read_text("utf-8"))
    assert found, f"{path.name} does not say {pattern} any more"
    text = next(group for group in found.groups() if group is not None)
    if text in WORDS:
        return WORDS[text]
    return float(text.replace(",", "")) if text[0].isdigit() else text


@pytest.mark.parametrize("what", RULES)
def test_the_code_holds_what_the_document_says(what):
    document, pattern, held = RULES[what]
    assert said(document, pattern) == held


def test_every_table_has_the_k_that_the_document_lists():
    text = (DOCS / "statistics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) \|", text, flags=re.MULTILINE)
    held = {name: s.minimum_frequency for name, s in STATISTICS.items() if s.kind != "public"}
    assert {name: int(k) for name, k in rows} == held


def test_a_specification_of_any_group_bears_the_platforms_costs_and_rule():
    for members in groups(STATISTICS.values()).values():
        chosen = [member for member in members if not member.by_district and member.kind == "frequency"]
        if chosen:
            spec = specification(chosen, None)
            assert spec.costs == PLATFORM.costs and spec.rule == PLATFORM.rule


def test_the_table_of_settings_lists_each_variable_with_its_default():
    table = (DOCS / "operations.md").read_text("utf-8").partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`KOBE_[^|]*`) \| ([^|]*) \|", table, re.M)
    listed = {name: default for names, default in rows for name in re.findall(r"`(KOBE_\w+)`", names)}
    assert set(listed) == {f"KOBE_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        said = re.fullmatch(r"`([^`]*)`", listed[f"KOBE_{name.upper()}"])
        if said:
            assert said[1] == str(field.default), name
        else:
            assert not field.default or field.default.is_relative_to(PROJECT), name
