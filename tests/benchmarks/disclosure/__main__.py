"""``python -m tests.benchmarks.disclosure [case …] [--json]``: the table of numbers to reach, with ratios.

Every case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from kobe_platform.bench.disclosure_cases import CASES

LONGEST = 400


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", help="run this case here and print its record")
    parser.add_argument("--peers", metavar="DIR", help="also run the peer, from an environment in DIR (made if absent)")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_measure(arguments.one)))
        return
    records = {}
    for name in arguments.cases:
        records[name] = _apart("--one", name)
        if arguments.peers and not CASES[name].other_methods:
            records[name]["tau_argus"] = _apart(name, "modular", arguments.peers, module=".peers")
        if not arguments.json:
            _show(name, records[name])
    if arguments.json:
        print(json.dumps(records, ensure_ascii=False, indent=1))
        return


def _measure(name: str) -> dict:
    from kobe_platform.bench.disclosure_engine import on_our_terms, on_peers_terms

    spec, cells = CASES[name].build()
    if CASES[name].other_methods:
        from tests.benchmarks.disclosure.methods import by_methods

        return {"methods": by_methods(spec, cells)}
    return {"peers_terms": on_peers_terms(spec, cells), "our_terms": on_our_terms(spec, cells)}


def _apart(*arguments: str, module: str = "") -> dict:
    """The record of a process of its own."""
    command = [sys.executable, "-m", f"tests.benchmarks.disclosure{module}", *arguments]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return {"error": f"not solved in {LONGEST} s"}
    if finished.returncode:
        return {"error": finished.stderr.strip().splitlines()[-1]}
    return json.loads(finished.stdout.strip().splitlines()[-1])


def _show(name: str, record: dict) -> None:
    case = CASES[name]
    print(f"\n{case.title}   (τ-ARGUS on such a table, measured elsewhere: {case.argus})")
    if "error" in record:
        print(f"  failed: {record['error']}")
        return
    if "methods" in record:
        from tests.benchmarks.disclosure.methods import show

        show(record["methods"], case.reach[0])
        return
    if "tau_argus" in record:
        print(f"  τ-ARGUS here: {record['tau_argus']}")
    peers, ours = record["peers_terms"], record["our_terms"]
    seconds, most = case.reach
    count = f"{peers['cells']:,} cells, {peers['primaries']:,} primaries"
    print(f"  {count}; to reach {seconds} s, {most or '–'} secondaries")
    ratio = f", ratio {peers['secondaries'] / most:.2f}" if most else ""
    print(
        f"  peers' terms: {peers['seconds']} s (ratio {peers['seconds'] / seconds:.2f}), "
        f"{peers['secondaries']:,} secondaries{ratio}, narrow {peers['narrow']}, not [0, k] {peers['not_0_to_k']}"
    )
    print(
        f"  our terms:    {ours['seconds']} s, {ours['secondaries']:,} secondaries, audit {ours['audit_seconds']} s "
        f"{'safe' if ours['safe'] else 'NOT SAFE'}, peak {ours['peak_mb']} MB"
    )


if __name__ == "__main__":
    main()
