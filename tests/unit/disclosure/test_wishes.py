"""A city's wishes of single rows: hidden whatever the count, kept shown where that can be, hidden before others."""

from __future__ import annotations

import itertools
import json

import polars as pl
import pytest
from command_trials import call

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.commands import audit as audit_command
from kobe_platform.disclosure.commands import protect as protect_command
from kobe_platform.errors import DisclosureError

AREA = {"city": None, **dict.fromkeys("abcd", "city")}
SPEC = Spec(
    rule=Rule(minimum_frequency=10),
    dimensions={"area": Dimension(hierarchy=AREA), "sex": Dimension(hierarchy={"T": None, "m": "T", "f": "T"})},
    tables=(Table(name="t", dimensions=["area", "sex"]),),
)
COUNTS = dict(zip(itertools.product("abcd", "mf"), (3, 40, 50, 60, 70, 80, 90, 95), strict=True))
CELLS = pl.DataFrame([(*of, n) for of, n in COUNTS.items()], schema=["area", "sex", "persons"], orient="row")


def wishes(**of):
    """``am="keep"``: one row a wish."""
    rows = [(code[:-1], code[-1], wish) for code, wish in of.items()]
    return pl.DataFrame(rows, schema=["area", "sex", "wish"], orient="row")


def hidden(**of):
    """Codes of the hidden rows under some wishes; what is published passes the audit."""
    protected = protect(SPEC, {"t": CELLS}, wishes={"t": wishes(**of)} if of else None)
    assert audit(SPEC, protected.tables).publishable
    rows = protected.tables["t"].filter(status="suppressed")
    return {area + sex for area, sex in rows.select("area", "sex").rows()}, protected.report.tables[0]


def test_a_row_that_is_to_stay_shown_stays_shown_where_others_will_do():
    before, _ = hidden()
    others = {code for code in before if code != "am"}
    kept = next(code for code in sorted(others) if code not in ("af", "aT"))
    after, report = hidden(**{kept: "keep"})
    assert kept in before and kept not in after and "am" in after
    assert report.kept_in_vain == 0


def test_a_row_that_is_given_is_hidden_before_others():
    assert "dm" not in hidden()[0]
    assert {"dm", "df"} <= hidden(dm="yield", df="yield")[0]


def test_a_row_that_is_to_be_hidden_is_hidden_and_protected_like_a_small_one():
    found, report = hidden(cT="hide")
    assert "cT" in found and len({code for code in found if code.endswith("T")}) > 1
    assert report.primary == 2


def test_no_wish_shows_a_small_count_and_what_could_not_be_kept_is_said():
    everything = {area + sex: "keep" for area in ("a", "b", "c", "d", "city") for sex in "mfT"}
    found, report = hidden(**everything)
    assert "am" in found and report.kept_in_vain == len(found)
    assert "kept_in_vain" not in report.public()


@pytest.mark.parametrize("of", [{"am": "show"}, {"am": None}, {"zz": "keep"}])
def test_what_is_no_wish_is_refused(of):
    with pytest.raises(DisclosureError, match=r"wish|hierarchy"):
        protect(SPEC, {"t": CELLS}, wishes={"t": wishes(**of)})


def test_a_row_cannot_be_hidden_and_kept():
    both = pl.concat([wishes(bm="hide"), wishes(bm="keep")])
    with pytest.raises(DisclosureError, match="to be hidden and to be kept"):
        protect(SPEC, {"t": CELLS}, wishes={"t": both})


SPEC_FILE = """
[rule]
minimum_frequency = 1
[dimensions.area]
total = "city"
[[tables]]
name = "sales"
dimensions = ["area"]
measure = "yen"
contributor = "owner"
p_percent = 10
"""


def test_the_command_takes_owners_and_wishes_and_audits_as_a_contributor(tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC_FILE)
    for folder in ("cells", "wishes"):
        (tmp_path / folder).mkdir()
    lone = "a,p,100\nb,q,100\n"
    others = "".join(f"{area},{area}{n},30\n" for area in "cde" for n in range(9))
    (tmp_path / "cells" / "sales.csv").write_text("area,owner,yen\n" + lone + others)
    (tmp_path / "wishes" / "sales.csv").write_text("area,wish\nc,keep\nd,keep\n")
    spec, cells, out = tmp_path / "spec.toml", tmp_path / "cells", tmp_path / "out"
    run = call(protect_command, spec, cells, out, "--wishes", tmp_path / "wishes", "--json")
    assert run.exit_code == 0, run.output
    published = pl.read_csv(tmp_path / "out" / "sales.csv")
    assert set(published.filter(status="suppressed")["area"]) == {"a", "b", "e"}
    assert call(audit_command, spec, out, "--cells", cells).exit_code == 0
    shown = pl.when(area="e").then(270).otherwise("value")
    published.with_columns(
        value=shown, status=pl.when(area="e").then(pl.lit("published")).otherwise("status")
    ).write_csv(tmp_path / "out" / "sales.csv")
    assert call(audit_command, spec, out).exit_code == 0, "the figures alone do not tell"
    refused = call(audit_command, spec, out, "--cells", cells, "--json")
    assert refused.exit_code == 1
    assert {one["rule"] for one in json.loads(refused.stdout)["findings"]} == {"dominated"}
