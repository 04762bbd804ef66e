"""Tables that open many cells at once: one program a round, rewards drawn anew (the seed is the round)."""

from __future__ import annotations

import numpy as np

from kobe_platform.disclosure.suppression.programs import INFINITE, Block, Solver

ROUNDS = 80
POOR_ROUNDS = 3
POOR = 0.005


def push(
    solver: Solver,
    block: Block,
    slack: np.ndarray,
    missing: np.ndarray,
    down: np.ndarray,
    width: np.ndarray,
    number: int,
    *,
    inner: bool = False,
) -> np.ndarray | None:
    """Moves that lift (in odd rounds also lower) the missing cells of a part towards what they lack.

    A missing cell has two columns: the move up to its goal, which is rewarded, and the move beyond it, which is not, so
    that no cell takes all of what there is to be moved.

    Args:
        block: equations of the part; slack: how far each of its cells may fall.
        missing: positions; down: their proven falls; width: what their intervals must reach; number: of the round.
        inner: see :meth:`~kobe_platform.disclosure.suppression.programs.Solver.extreme`.
    """
    random = np.random.default_rng(number)
    strength = random.uniform(0.5, 1.0, len(missing))
    falls = random.random(len(missing)) < (0.5 if number % 2 else 0.0)
    size = len(block.variables)
    upper = np.full(size, INFINITE)
    upper[missing] = np.where(falls, -down, np.maximum(width - down, 1))
    reward = np.zeros(size)
    reward[missing] = np.where(falls, -strength, strength)
    lengths = np.diff(block.starts)[missing]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    entries = np.repeat(block.starts[missing] - ends[:-1], lengths) + np.arange(ends[-1])
    doubled = Block(
        np.concatenate([block.variables, block.variables[missing]]),
        np.concatenate([block.starts, block.starts[-1] + ends[1:]]).astype(np.int32),
        np.concatenate([block.rows, block.rows[entries]]),
        np.concatenate([block.values, block.values[entries]]),
        block.height,
    )
    moves = solver.extreme(
        doubled,
        np.concatenate([-slack.astype(float), np.zeros(len(missing))]),
        np.concatenate([upper, np.full(len(missing), INFINITE)]),
        np.concatenate([reward, np.where(falls, -strength, 0.0)]),
        inner=inner,
    )
    if moves is None:
        return None
    total = moves[:size]
    total[missing] += moves[size:]
    return total
