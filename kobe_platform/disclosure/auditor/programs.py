"""The auditor's programs: HiGHS with one thread and no clock, so that equal questions get equal answers."""

from __future__ import annotations

import highspy
import numpy as np
from scipy import sparse


def linear_program(right: np.ndarray, matrix: sparse.csc_array, lower: np.ndarray, upper: np.ndarray) -> highspy.Highs:
    """The program ``matrix @ x == right``, ``lower <= x <= upper``, without costs."""
    program, size = highspy.Highs(), len(lower)
    for option, value in (
        ("output_flag", False), ("threads", 1), ("simplex_iteration_limit", 3_000_000),
        ("mip_max_nodes", 20_000), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.5),
    ):  # fmt: skip
        program.setOptionValue(option, value)
    program.passModel(
        size, matrix.shape[0], matrix.nnz, 1, 1, 0.0, np.zeros(size), lower, upper, right, right,
        matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data, np.zeros(size, np.int32),
    )  # fmt: skip
    return program


def in_whole_numbers(program: highspy.Highs, *, nodes: int | None = None) -> highspy.Highs:
    """A program, asked of whole numbers from here on; ``nodes``: so many at most."""
    size = program.getNumCol()
    program.setOptionValue("mip_heuristic_run_feasibility_jump", False)  # a tenth of the audit, and seldom of use
    program.changeColsIntegrality(size, np.arange(size, dtype=np.int32), np.ones(size, np.uint8))
    if nodes is not None:
        program.setOptionValue("mip_max_nodes", nodes)
    return program
