"""Coarser lists are tied to the finer ones that they regroup, so that no cell follows from the other table."""

import pytest

from kobe_platform.statistics.trees import gathers, regrouped
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

TREES = hierarchies()
PAIRS = [
    ("status", "status_major"),
    ("nationality", "nationality_major"),
    ("age5", "age10"),
    ("counterpart", "counterpart_major"),
]


@pytest.mark.parametrize(("fine", "coarse"), PAIRS)
def test_every_fine_code_stands_in_exactly_one_coarse_code(fine, coarse):
    gathered = gathers(TREES[fine], TREES[coarse])
    assert sorted(leaf for leaves in gathered.values() for leaf in leaves) == sorted(TREES[fine].leaves)
    assert list(gathered) == list(TREES[coarse].leaves)


@pytest.mark.parametrize(("fine", "coarse"), PAIRS)
def test_a_coarse_list_is_never_taken_for_the_finer_one(fine, coarse):
    assert gathers(TREES[coarse], TREES[fine]) is None


def test_a_source_code_goes_the_same_way_directly_and_through_the_finer_list():
    fine, coarse = TREES["status"], TREES["status_major"]
    gathered = gathers(fine, coarse)
    for code in {*fine.mapping, *coarse.mapping, "artist"}:
        leaf = fine.mapping.get(code, fine.other)
        assert leaf in gathered[coarse.mapping.get(code, coarse.other)]


def test_lists_that_cut_across_each_other_are_not_tied():
    codes = TREES["status_major"].codes
    across = Hierarchy("across", "試し", codes, "residence_status", mapping={"artist": "permanent"}, other="remaining")
    assert gathers(TREES["status"], across) is None


def test_age_bands_that_cut_across_each_other_find_a_finer_list_that_both_regroup():
    base = regrouped("age_year", {"age_year", "age10"}, None)
    assert gathers(TREES[base], TREES["age_year"]) and gathers(TREES[base], TREES["age10"])


def test_yearly_and_monthly_ages_share_no_boundary():
    for yearly in ("age_year", "age_death"):
        assert set(TREES[yearly].breaks) & set(TREES["age_month"].breaks) == {0}


def test_all_that_are_used_regroup_one_of_them_and_it_regroups_none():
    """An unused finer one would stand between: the auditor reads a dimension's base, and no base of that."""
    for used in ({"age5", "age10", "age_life"}, {"age1", "age5", "age10"}, {"age_child", "age5"}):
        bases = {name: regrouped(name, used, None) for name in used}
        (finest,) = (name for name, base in bases.items() if base is None)
        assert {base for base in bases.values() if base is not None} == {finest}
