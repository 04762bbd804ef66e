"""What tables prove: the same as asking them one after the other, whatever was withdrawn, added and restored."""

import numpy as np
import pytest

from kobe_platform.disclosure.suppression.proofs import Proofs

SIZE = 40


class OneByOne:
    """The same by looking at every table for every variable."""

    def __init__(self) -> None:
        self.tables: list[dict[int, int] | None] = []

    def farthest(self, variable: int, sign: int) -> tuple[int, int]:
        """How far the variable rises (or falls) at most, and the first table in which it does; −1 for none."""
        best, by = 0, -1
        for number, table in enumerate(self.tables):
            move = sign * (table or {}).get(variable, 0)
            if move > best:
                best, by = move, number
        return best, by

    def moving(self, *variables: int) -> list[int]:
        return [n for n, table in enumerate(self.tables) if table and any(table.get(v) for v in variables)]


def agree(proofs: Proofs, plain: OneByOne) -> None:
    for sign, far, by in ((1, proofs.up, proofs.up_by), (-1, proofs.down, proofs.down_by)):
        assert list(zip(far.tolist(), by.tolist(), strict=True)) == [plain.farthest(v, sign) for v in range(SIZE)]
    standing = [table for table in plain.tables if table is not None]
    told = [dict(zip(v.tolist(), m.tolist(), strict=True)) for v, m in proofs.tables()]
    assert told == [{v: move for v, move in table.items() if move} for table in standing]


def drawn(dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    variables = np.sort(dice.choice(SIZE, int(dice.integers(0, 12)), replace=False))
    return variables, dice.integers(-3, 4, len(variables))


@pytest.mark.parametrize("seed", range(12))
def test_proofs_say_what_the_tables_say_one_by_one(seed):
    dice = np.random.default_rng(seed)
    proofs, plain = Proofs(SIZE), OneByOne()
    kept: list[tuple] = []
    for _ in range(60):
        match int(dice.integers(0, 6)):
            case 0 | 1 | 2:
                variables, moves = drawn(dice)
                proofs.add(variables, moves)
                plain.tables.append(dict(zip(variables.tolist(), moves.tolist(), strict=True)))
            case 3:
                chosen = dice.choice(SIZE, int(dice.integers(1, 4)), replace=False).tolist()
                numbers = proofs.moving(*chosen)
                assert numbers.tolist() == plain.moving(*chosen)
                before = proofs.spread.copy()
                shrunk = proofs.withdraw(numbers)
                for number in numbers.tolist():
                    plain.tables[number] = None
                assert shrunk.tolist() == np.flatnonzero(proofs.spread < before).tolist()
            case 4:
                kept.append((proofs.snapshot(), list(plain.tables)))
            case _ if kept:
                state, plain.tables = kept.pop()
                proofs.restore(state)
        agree(proofs, plain)


def test_there_is_room_for_more_tables_and_moves_than_at_first():
    proofs, every = Proofs(SIZE), np.arange(SIZE)
    for number in range(3_000):
        proofs.add(every, np.full(SIZE, number + 1))
    assert proofs.count == 3_000 and (proofs.up == 3_000).all() and (proofs.up_by == 2_999).all()
    proofs.withdraw(np.array([2_999, 2_998]))
    assert (proofs.up == 2_998).all() and len(proofs.moving(7)) == 2_998
