"""What became of a delivery is known to all machines that share a store."""

from __future__ import annotations

import pytest

from kobe_platform.release.sharing import SharedReceipts
from tests.unit.sharing.places import Faulty

ACCEPTED = "28100/register/2025-07/abc.accepted.json"


class Desk:
    """A machine's receipts."""

    def __init__(self, root, place) -> None:
        root.mkdir()
        self.faulty, self.folder = Faulty(place), root / "receipts"
        self.receipts = SharedReceipts(self.faulty, self.folder, root / "staging" / "state.json")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    @property
    def there(self) -> dict[str, str]:
        return {path.relative_to(self.folder).as_posix(): path.read_text() for path in self.folder.rglob("*.json")}


@pytest.fixture
def desks(tmp_path, place) -> tuple[Desk, Desk]:
    return Desk(tmp_path / "one", place), Desk(tmp_path / "two", place)


def both(one: Desk, two: Desk) -> None:
    for desk in (one, two, one):
        desk.receipts.bring_together()


def test_receipts_of_each_machine_are_on_both(desks):
    one, two = desks
    one.write(ACCEPTED, "1")
    two.write("28100/register/2025-08/abd.held.json", "2")
    both(one, two)
    assert one.there == two.there and len(one.there) == 2
    two.write(ACCEPTED, "another")
    both(two, one)
    assert one.there[ACCEPTED] == two.there[ACCEPTED] == "another"


def test_a_receipt_that_an_operator_takes_away_does_not_come_back(desks):
    one, two = desks
    one.write(ACCEPTED, "1")
    both(one, two)
    (two.folder / ACCEPTED).unlink()
    both(two, one)
    assert one.there == two.there == {}


def test_an_old_list_takes_no_receipt_away(desks):
    one, two = desks
    one.write(ACCEPTED, "1")
    both(one, two)
    two.faulty.names = lambda prefix: iter(())
    two.receipts.bring_together()
    assert two.there == {ACCEPTED: "1"}


def test_what_did_not_change_is_not_written_again(desks):
    one, two = desks
    one.write(ACCEPTED, "1")
    both(one, two)
    before = len(one.faulty.calls)
    one.receipts.bring_together()
    assert [kind for kind, _ in one.faulty.calls[before:]] == ["names"]
