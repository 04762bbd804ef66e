"""The benchmark of many municipalities' rows reads each with its own keys and counts the same as plain files."""

from kobe_platform.bench import rows as bench_rows


def test_sizes_fall_by_rank_and_come_to_the_whole():
    found = bench_rows.sizes(100, 1_000_000)
    assert found == sorted(found, reverse=True) and found[0] > 8 * found[-1]
    assert abs(sum(found) - 1_000_000) <= 50


def test_every_municipality_has_keys_of_its_own_and_both_ways_count_the_same(tmp_path):
    written = bench_rows.write(tmp_path, 9, 2000)
    assert all(size > 0 for size in written.values())
    rings = {(home / "keys" / "root.key").read_bytes() for home in (tmp_path / "homes").iterdir()}
    assert len(rings) == 9
    lake, plain = (bench_rows.count(tmp_path, way) for way in bench_rows.WAYS)
    assert lake["rows"] == plain["rows"] == sum(bench_rows.sizes(9, 2000))
    assert lake["digest"] == plain["digest"] and lake["cells"] > 100
    (tmp_path / "plain" / "00000.parquet").unlink()
    assert bench_rows.count(tmp_path, "plain")["digest"] != lake["digest"]


def test_the_report_has_ratios_in_processor_seconds_too():
    report = bench_rows.measure(3, 900, 1)
    assert set(report["ratios"]) == {"seconds", "processor_seconds", "peak_mb"}
    assert all(value > 0 for value in report["ratios"].values())
