"""Facts as they are read from the disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kobe_platform import code_version as engine
from kobe_platform.intake import receipts
from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.receipts import write_receipt
from kobe_platform.planning import observing
from kobe_platform.planning.delivery_rules import outstanding_take_ins
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.showing import listed
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.vocabulary.rules import rejection
from tests.unit.planning.on_disk import deliver

JULY = "2025-07"


class Clock:
    """A clock that a test sets."""

    moment = datetime(2025, 8, 1, tzinfo=UTC)

    @classmethod
    def now(cls, zone):
        return cls.moment


@pytest.fixture
def receive(home, monkeypatch):
    """Write receipts of one delivery, a day apart; what it counts as then."""
    monkeypatch.setattr(receipts, "datetime", Clock)
    deliver("resident_register", JULY)
    settings = Settings()
    delivery = find_one(settings.inbox, settings.municipality, "resident_register", JULY)

    def write(*words: str) -> str:
        for word in words:
            Clock.moment += timedelta(days=1)
            told = {"rows": 1} if word == "accepted" else rejection("file.empty", **delivery.at, file="rows.csv")
            write_receipt(home, delivery, word, told)
        (fact,) = Observer(settings).facts().deliveries
        return fact.turned

    return write


@pytest.mark.parametrize(
    ("words", "turned"),
    [
        (("rejected",), "rejected"),
        (("rejected", "accepted"), ""),
        (("accepted", "rejected"), "rejected"),
        (("accepted",), ""),
    ],
)
def test_the_later_of_two_receipts_of_one_content_counts(receive, words, turned):
    assert receive(*words) == turned


def test_a_module_that_changed_since_the_process_started_asks_for_a_reload(home, monkeypatch):
    module = Path(home).parent / "module.py"
    module.write_text("ONE = 1\n")
    monkeypatch.setattr(observing, "source_files", lambda: [module, *engine.source_files()])
    observer = Observer(Settings())
    assert not observer.changed_on_disk()
    module.write_text("ONE = 1 + 1\n")
    assert observer.changed_on_disk()


def test_every_definition_file_and_every_module_is_looked_at():
    settings = Settings()
    seen = observing._stamps(settings)
    wanted = [*settings.contracts.glob("*.toml"), *settings.statistics.iterdir(), settings.ondemand]
    wanted += [*settings.forecast_files.glob("*.toml"), *settings.watch_files.glob("*.toml")]
    wanted += [*settings.dashboards.glob("*.toml"), *settings.dashboards.glob("pages/*.md")]
    wanted += [*settings.dashboards.glob("manuals/*.md"), *settings.contracts.parent.glob("vocabulary/*")]
    for room in ("kobe_platform", "assets", "checks", "resources"):
        wanted += (PROJECT / room).rglob("*.py")
    assert seen.keys() == {str(path) for path in wanted if path.is_file()}


def test_modules_are_read_in_the_order_of_their_paths():
    for rooms in ((), ("disclosure", "errors")):
        files = [Path(path) for path in engine.source_files(*rooms)]
        assert len(files) > len(rooms) and len(set(files)) == len(files)
        tops = [path.relative_to(PROJECT).parts[: 2 if rooms else 1] for path in files]
        for top in dict.fromkeys(tops):
            of_top = [path for path, told in zip(files, tops, strict=True) if told == top]
            assert of_top == sorted(of_top)


def test_the_list_of_deliveries_needs_neither_tables_nor_pages_and_opens_no_folder_without_receipts(
    receive, tmp_path, monkeypatch
):
    receive("rejected")
    deliver("resident_register", "2025-06")
    opened, scandir = [], observing.os.scandir
    monkeypatch.setattr(observing.os, "scandir", lambda place: opened.append(str(place)) or scandir(place))
    empty = tmp_path / "no-definitions"
    empty.mkdir()
    settings = Settings().model_copy(update={"statistics": empty / "none", "dashboards": empty / "none"})
    monkeypatch.setattr(observing, "_stamps", lambda settings: {})
    rows = {row["month"]: row["outcome"] for row in listed(settings)}
    assert rows == {"2025-06": "due", JULY: "rejected"}
    assert [Path(place).name for place in opened if "receipts" in place] == [JULY]


def test_steps_of_deliveries_are_those_of_the_whole_plan(receive):
    receive("rejected")
    deliver("resident_register", "2025-06")
    deliver("resident_movements", JULY)
    observer = Observer(Settings())
    _, found = outstanding_take_ins(observer.facts_of_deliveries())
    assert tuple(found.steps) == observer.plan().of("take_in")
    assert [step.month for step in found.steps if step.unit == "resident_movements"] == [JULY]


def test_looks_one_after_another_share_a_plan_and_the_next_ones_do_not(home):
    observer = Observer(Settings())
    with observer.steady():
        before = observer.plan()
        deliver("resident_register", JULY)
        assert observer.plan() is before and before.of("take_in") == ()
        assert observer.plan(aside=["anything"]) is not before, "who leaves work of his own aside has a plan of his own"
    with observer.steady():
        assert [step.unit for step in observer.plan().of("take_in")] == ["resident_register"]
    assert [step.unit for step in observer.plan().of("take_in")] == ["resident_register"]
