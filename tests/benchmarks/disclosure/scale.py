"""``python -m tests.benchmarks.disclosure.scale``: seconds and memory as districts and former releases grow.

Each size runs in a process of its own. The exponent is the slope of log seconds over log primaries (over log releases):
1 is linear.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time

DISTRICTS, RELEASES = (40, 165, 500, 1_900), (1, 12, 36, 138)
LONGEST = 1_200


def districts(number: int) -> dict:
    """District × 21 ages × sex, the city growing with its districts."""
    from kobe_platform.bench.disclosure_cases import district_age_sex
    from kobe_platform.bench.disclosure_engine import on_our_terms

    spec, cells = district_age_sex(number)
    return on_our_terms(spec, cells)


def releases(number: int) -> dict:
    """The table of 165 districts once more, after so many former releases of the same date."""
    from kobe_platform.bench.disclosure_cases import district_age_sex
    from kobe_platform.disclosure import FormerRelease, audit, protect

    spec, cells = district_age_sex()
    former = [FormerRelease(protect(spec, cells).tables)] * number  # the same input gives the same tables
    began = time.perf_counter()
    again = protect(spec, cells, previous=former)
    seconds = time.perf_counter() - began
    verdict = audit(spec, again.tables, previous=former)
    return {"seconds": round(seconds, 2), "audit_seconds": round(verdict.seconds, 2), "safe": verdict.publishable}


def exponent(sizes: list[float], seconds: list[float]) -> float:
    """Slope of the least-squares line through the logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(max(second, 1e-3)) for second in seconds]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


def _apart(what: str, number: int) -> dict:
    command = [sys.executable, "-m", "tests.benchmarks.disclosure.scale", what, str(number)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return {"error": f"not done in {LONGEST} s"}
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"error": done.stderr.splitlines()[-1]}


def main() -> None:
    """One line a size, then the exponents."""
    if len(sys.argv) == 3:
        print(json.dumps({"districts": districts, "releases": releases}[sys.argv[1]](int(sys.argv[2]))))
        return
    for what, sizes, by in (("districts", DISTRICTS, "primaries"), ("releases", RELEASES, None)):
        told = {}
        for number in sizes:
            record = _apart(what, number)
            print(f"{number:>6} {what}: {record}", flush=True)
            if "error" not in record:
                told[record[by] if by else number] = record
        for name in ("seconds", "audit_seconds"):
            slope = exponent(list(told), [record[name] for record in told.values()])
            print(f"       {name}: exponent {slope:.2f} over {by or what}")


if __name__ == "__main__":
    main()
