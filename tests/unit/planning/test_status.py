"""``kobe status`` says what is outstanding, why, and what to do; ``kobe retry`` lets it be tried again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import typer
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.receipts import write_receipt
from kobe_platform.lake.partitions import PartitionId
from kobe_platform.planning import Cause
from kobe_platform.planning.failures import Failures
from kobe_platform.planning.leases import Leases
from kobe_platform.planning.status import month_table, months, record, retry, status
from kobe_platform.planning.words import STATES
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.rules import hold, rejection
from tests.unit.planning.on_disk import deliver
from tests.unit.planning.world import FLOWS, MOVEMENTS, REGISTER, STOCKS, TOWNS, World, made, tabulate, take_in

JULY, AUGUST = "2025-07", "2025-08"
commands = typer.Typer()
commands.command()(status)
commands.command()(retry)


def turn_away(home: Path, source: str, month: str, word: str) -> None:
    settings = Settings()
    delivery = find_one(settings.inbox, settings.municipality, source, month)
    told = {"rejected": rejection, "held": hold}[word]
    rule = {"rejected": "file.empty", "held": "delivery.revised"}[word]
    numbers = {"rows": 1, "former_rows": 2} if word == "held" else {"file": "manifest.json"}
    write_receipt(home, delivery, word, told(rule, **delivery.at, **numbers))


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def told_json() -> dict:
    code, text = said("status", "--json")
    told = json.loads(text)
    assert code == (0 if told["empty"] else 1)
    return told


def test_an_installation_with_nothing_to_do_says_so_and_exits_with_0(home):
    code, text = said("status")
    assert code == 0 and "することはありません" in text
    told = told_json()
    assert told["empty"] and told["outstanding"] == told["later"] == told["faults"] == told["months"] == []


def test_a_month_that_is_outstanding_is_a_row_and_a_line_and_exits_with_1(home):
    deliver(TOWNS, JULY)
    deliver(REGISTER, JULY)
    code, text = said("status")
    assert code == 1
    (row,) = [line for line in text.splitlines() if JULY in line and "│" in line]
    assert STATES["ready"] in row and STATES["waiting"] in row
    assert f"{JULY} 取込み {REGISTER}: 待ち(新しい提供データ)" in text and "2 outstanding" in text


def test_json_names_each_step_with_state_reason_and_what_it_waits_for(home):
    deliver(TOWNS, JULY)
    deliver(REGISTER, JULY)
    deliver(TOWNS, "2099-01")
    told = told_json()
    first, second = told["outstanding"]
    assert (first["id"], first["state"], first["reason"]) == (take_in(TOWNS, JULY), "ready", "new delivery")
    assert (second["id"], second["waits_for"]) == (take_in(REGISTER, JULY), [take_in(TOWNS, JULY)])
    assert second["ja"] and second["cause"] is None
    (later,) = told["later"]
    assert (later["id"], later["waits_for"]) == (take_in(TOWNS, "2099-01"), ["month_end"])
    rows = {row["month"]: row for row in told["months"]}
    assert (rows[JULY][TOWNS], rows[JULY][REGISTER], rows[JULY]["tables"]) == ("ready", "waiting", "")


def test_a_rejected_delivery_is_named_with_its_rule_and_is_not_outstanding(home):
    deliver(TOWNS, JULY)
    turn_away(home, TOWNS, JULY, "rejected")
    code, text = said("status")
    assert code == 0 and "却下" in text and "[file.empty]" in text and "（ファイル manifest.json）" in text
    assert "却下した提供データが1件あります" in text
    told = told_json()
    assert told["months"][0][TOWNS] == "rejected"
    assert told["turned_away"][0]["ja"].startswith(JULY) and told["turned_away"][0]["ja"].endswith("[file.empty]")


def test_a_held_delivery_is_outstanding_and_names_the_command_that_approves_it(home):
    deliver(TOWNS, JULY)
    turn_away(home, TOWNS, JULY, "held")
    code, text = said("status")
    assert code == 1 and "[delivery.revised]" in text and "kobe deliveries approve" in text
    (step,) = told_json()["outstanding"]
    assert (step["state"], step["cause"]["code"]) == ("held", "delivery.revised")


def test_what_is_wrong_with_the_installation_is_said_once_with_its_remedy(home):
    deliver(TOWNS, JULY)
    (home / "keys" / "root.json").rename(home / "keys" / "aside.json")
    code, text = said("status")
    assert code == 1 and text.count("[settings.keys]") >= 1 and "kobe keys init" in text
    told = told_json()
    assert [fault["code"] for fault in told["faults"]] == ["settings.keys"]
    assert told["outstanding"][0]["waits_for"] == ["installation:settings.keys"]


def test_the_home_of_another_municipality_takes_nothing_in(home):
    deliver(TOWNS, JULY)
    (home / "receipts" / "28203" / TOWNS / JULY).mkdir(parents=True)
    told = told_json()
    assert [fault["code"] for fault in told["faults"]] == ["settings.municipality"]
    assert all("installation:settings.municipality" in step["waits_for"] for step in told["outstanding"])


def test_an_inbox_that_is_gone_is_a_fault_and_not_an_empty_plan(home):
    Settings().inbox.rmdir()
    told = told_json()
    assert not told["empty"] and [fault["code"] for fault in told["faults"]] == ["inbox.absent"]


def test_what_another_process_is_at_is_under_way(home):
    deliver(TOWNS, JULY)
    with Leases(home).holding(take_in(TOWNS, JULY)):
        assert told_json()["outstanding"][0]["state"] == "under_way"
    assert told_json()["outstanding"][0]["state"] == "ready"


def test_a_failure_is_named_and_retry_lets_it_be_tried_again(home):
    deliver(TOWNS, JULY)
    step = told_json()["outstanding"][0]
    inputs = _inputs(step["id"])
    Failures(home).fail(step["id"], inputs, "code", Cause("extracts.broken", "broken", "mend it", "壊れています"))
    code, text = said("status")
    assert code == 1 and "[extracts.broken]" in text and "kobe retry" in text
    assert told_json()["outstanding"][0]["state"] == "failed"
    assert said("retry", step["id"]) == (0, f"{step['id']} will be tried again\n")
    assert told_json()["outstanding"][0]["state"] == "ready"


def test_retry_without_a_step_takes_all_and_says_where_there_is_nothing(home):
    assert said("retry") == (0, "nothing failed\n")
    failures = Failures(home)
    failures.begin({"release": "a", take_in(TOWNS, JULY): "b"})
    code, text = said("retry")
    assert code == 0 and text.splitlines() == [
        "release will be tried again",
        f"{take_in(TOWNS, JULY)} will be tried again",
    ]
    assert failures.read() == {}


def test_retry_of_a_step_that_did_not_fail_is_bad_usage(home):
    assert said("retry", "take_in:nothing:2025-07")[0] == 2


def test_looking_changes_nothing_but_the_index_that_may_be_thrown_away(home):
    deliver(TOWNS, JULY)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    said("status")
    after = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert {path for path in after if before.get(path) != after[path]} <= {home / "staging" / "heads.json"}


# ── rows a month ─────────────────────────────────────────────────────────────────────────────────────────────────────


def rows(world: World) -> dict[str, dict[str, str]]:
    facts = world.facts()
    return {row["month"]: row for row in months(facts, world.plan())}


def test_a_month_that_is_done_is_done_in_every_column():
    world = made(JULY, AUGUST)
    told = rows(world)
    assert list(told) == [AUGUST, JULY], "the newest first"
    assert set(told[JULY].values()) == {JULY, "done"}
    empty = {name: [] for name in ("faults", "outstanding", "later", "turned_away")}
    assert record(world.plan()) == {"empty": True, **empty}


def test_a_month_is_shown_with_the_state_of_its_deliveries_its_tables_and_the_release():
    world = made(JULY, AUGUST)
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.approve(REGISTER, JULY)
    world.redefine("population_ward", "other words")
    told = rows(world)
    assert (told[JULY][REGISTER], told[JULY][MOVEMENTS], told[JULY]["tables"]) == ("ready", "done", "waiting")
    assert told[JULY]["release"] == "waiting"


def test_a_month_with_tables_that_are_stuck_is_not_shown_as_going_on():
    for stuck in (STOCKS, FLOWS):
        world = made(JULY)
        world.redefine("population_ward", "other words")
        world.redefine("ward_moves_in_month", "other words")
        world.broken = {tabulate(stuck, JULY)}
        world.execute(world.plan().works()[0])
        world.unjudge(PartitionId("published", "estimated_population", JULY), "no_identifiers")
        moving = "population_district" if stuck == FLOWS else "ward_moves_in_month"
        world.unjudge(PartitionId("published", moving, JULY), "no_identifiers")
        assert rows(world)[JULY]["tables"] == "failed"


def test_months_are_whole_on_a_narrow_screen_with_many_sources(capsys):
    world = made(JULY)
    facts = world.facts()
    many = {f"source_{n:02d}": facts.contracts[REGISTER] for n in range(8)}
    row = {**rows(world)[JULY], **dict.fromkeys(many, "rejected")}
    console = Console(width=80)
    console.print(month_table(replace(facts, contracts={**facts.contracts, **many}), [row]))
    shown = capsys.readouterr().out
    assert f"│ {JULY} │" in shown and "…" not in shown and max(map(cell_len, shown.splitlines())) <= 80


def _inputs(step: str) -> str:
    from kobe_platform.planning.observing import Observer

    return next(one.inputs for one in Observer(Settings()).plan().steps if one.id == step)
