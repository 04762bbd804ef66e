"""Many municipalities side by side: homes of their own, processes of their own, and no one behind another."""

import json
import os
import stat
import time
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from kobe_platform.errors import ConfigurationError
from kobe_platform.prefecture import homes as of_homes
from kobe_platform.prefecture import running
from kobe_platform.prefecture.commands import prefecture_app, told
from kobe_platform.prefecture.homes import OWN_SETTINGS, delivered_bytes, homes, new_home
from kobe_platform.prefecture.running import Ending, Task, run_all
from kobe_platform.settings import Settings
from kobe_platform.synthesis.many import chosen, residents_of
from kobe_platform.vocabulary.municipality import municipalities, municipality

KOBE, AKASHI, HIMEJI, AIOI = "28100", "28203", "28201", "28208"


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("KOBE_PREFECTURE", str(tmp_path / "prefecture"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "elsewhere"))
    return Settings()


def refused(call) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call()
    return caught.value.code


def test_a_home_is_the_owners_alone_and_its_processes_know_no_other(settings, monkeypatch, tmp_path):
    """What opens keys or records of one home never comes into the process of another."""
    for name, value in (("PASSPHRASE_FILE", "x"), ("DATABASE_URL", "sqlite:///all"), ("KEY_SERVICE", "aws-kms"),
                        ("POSTGRES_URL", "postgresql://all"), ("BACKUP", "/b"), ("START", "2020-01")):  # fmt: skip
        monkeypatch.setenv(f"KOBE_{name}", value)
    for name in ("DAGSTER_HOME", "DAGSTER_PG_PASSWORD"):  # Dagster's chart gives the latter to every run
        monkeypatch.setenv(name, "/all")
    monkeypatch.setenv("KOBE_BACKUP_KEY", "/key")
    home = new_home(Settings(), AKASHI)
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    every = home.environment(Settings())
    assert "/all" not in every.values() and every["PATH"] == os.environ["PATH"]
    told = {name: value for name, value in every.items() if name.startswith("KOBE_")}
    paths = {name for name in told if name in ("KOBE_CONTRACTS", "KOBE_STATISTICS", "KOBE_DASHBOARDS", "KOBE_ONDEMAND")}
    common = {"KOBE_PRINCIPAL", "KOBE_RAW_DAYS", "KOBE_HISTORY_MONTHS", "KOBE_RUN_LOG_DAYS", "KOBE_START", "KOBE_INBOX"}
    assert set(told) - paths == {"KOBE_HOME", "KOBE_MUNICIPALITY"} | common
    assert (told["KOBE_HOME"], told["KOBE_MUNICIPALITY"]) == (str(home.path), AKASHI)
    assert told["KOBE_START"] == "2020-01"


def test_a_municipalitys_own_settings_are_its_own(settings):
    home, other = new_home(settings, AKASHI), new_home(settings, KOBE)
    (home.path / OWN_SETTINGS).write_text('# of Akashi\n\nKOBE_PASSPHRASE_FILE="/run/akashi"\n', "utf-8")
    assert home.environment(settings)["KOBE_PASSPHRASE_FILE"] == "/run/akashi"
    assert "KOBE_PASSPHRASE_FILE" not in other.environment(settings)


def test_a_municipality_with_credentials_of_its_own_gets_none_of_the_prefectures(settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-prefecture")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-prefecture")
    own, other = new_home(settings, AKASHI), new_home(settings, KOBE)
    (own.path / OWN_SETTINGS).write_text("AWS_PROFILE=akashi\nAWS_SECRET_ACCESS_KEY=ends'in\"\n", "utf-8")
    told = {name: value for name, value in own.environment(settings).items() if name.startswith("AWS_")}
    assert told == {"AWS_PROFILE": "akashi", "AWS_SECRET_ACCESS_KEY": "ends'in\""}
    assert other.environment(settings)["AWS_SESSION_TOKEN"] == "of-the-prefecture"


def test_a_folder_with_a_prefectures_own_code_is_no_municipality(settings):
    home = new_home(settings, AKASHI)
    (home.path.parent / "28000").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        homes(settings)
    assert caught.value.code == "prefecture.unknown"


@pytest.mark.parametrize("url", ["s3://bucket/hyogo", "s3://bucket/hyogo/"])
def test_each_home_has_its_own_part_of_the_place_that_machines_share(settings, monkeypatch, url):
    home, other = new_home(settings, AKASHI), new_home(settings, KOBE)
    assert "KOBE_STORE_URL" not in home.environment(settings)
    monkeypatch.setenv("KOBE_STORE_URL", url)
    assert home.environment(Settings())["KOBE_STORE_URL"] == "s3://bucket/hyogo/28203"
    (other.path / OWN_SETTINGS).write_text("KOBE_STORE_URL=s3://kobe/alone\n", "utf-8")
    assert other.environment(Settings())["KOBE_STORE_URL"] == "s3://kobe/alone"


@pytest.mark.parametrize(
    "line", ["KOBE_HOME=/other", "KOBE_MUNICIPALITY=28100", "KOBE_PREFECTURE=/p", "KOBE_NOTHING=1", "PATH=/bin", "x"]
)
def test_a_line_of_own_settings_that_is_none_is_named_by_its_number(settings, line):
    home = new_home(settings, AKASHI)
    (home.path / OWN_SETTINGS).write_text(f"KOBE_RAW_DAYS=3\n{line}\n", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        home.environment(settings)
    assert (caught.value.code, caught.value.at["line"]) == ("prefecture.settings", 2)
    assert "/other" not in str(caught.value)


def test_a_home_that_is_moved_away_is_no_longer_of_the_prefecture(settings, tmp_path):
    for code in (AKASHI, KOBE):
        new_home(settings, code)
    assert list(homes(settings)) == [KOBE, AKASHI]
    homes(settings)[AKASHI].path.rename(tmp_path / "handed over")
    assert list(homes(settings)) == [KOBE]
    assert refused(lambda: homes(settings, (AKASHI,))) == "prefecture.unknown"
    (settings.prefecture / "municipalities" / "notes").mkdir()
    assert refused(lambda: homes(settings)) == "vocabulary.municipality"


def test_without_a_prefecture_the_command_says_what_to_set(monkeypatch):
    monkeypatch.delenv("KOBE_PREFECTURE", raising=False)
    assert refused(lambda: homes(Settings())) == "prefecture.absent"


def test_the_work_of_a_municipality_is_measured_by_its_newest_deliveries(settings, tmp_path):
    home = new_home(settings, AKASHI)
    environment = home.environment(settings)
    assert delivered_bytes(home, environment) == 0
    for month, size in (("2025-11", 700), ("2025-12", 30)):
        folder = tmp_path / "inbox" / AKASHI / "resident_register" / month
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_bytes(b"x" * size)
    assert delivered_bytes(home, environment) == 30
    place = tmp_path / "inbox" / AKASHI
    (place / "a note").write_bytes(b"x")
    (place / "resident_register" / "taken back").mkdir()
    (place / "resident_register" / "2025-12" / "parts").mkdir()
    assert delivered_bytes(home, environment) == 30


SCRIPT = """
import json, os, signal, sys, time
kind, seconds = sys.argv[1], float(sys.argv[2])
time.sleep(seconds)
while kind == "waits" and not os.path.exists(os.environ["UNTIL"]):
    time.sleep(0.05)
kind = "ends" if kind == "waits" else kind
if kind == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "refuses":
    sys.stderr.write("kobe run: だめです\\n  [custody.absent] a file is not there\\n")
    raise SystemExit(1)
runs = [{"what": "plan", "faults": [{"code": "plan.changed", "text": "run it again"}]}] if kind == "changes" else []
away = [{"ja": "2026-09 推計人口: 他団体のデータです [manifest.city]"}] if kind.startswith("rejects") else []
done = kind in ("ends", "rejects before")
left = [] if done or away else [{"ja": "まだ"}]
print(json.dumps({"faults": [], "runs": runs, "outstanding": left, "turned_away": away}))
raise SystemExit(not done)
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Processes that end as a test wants them to, in place of `kobe`."""
    (tmp_path / "stand_in.py").write_text(SCRIPT, "utf-8")
    monkeypatch.setattr(running, "MODULE", "stand_in")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "UNTIL": str(tmp_path / "all")}
    return lambda code, kind, size=0, seconds=0.0: Task(code, code, (kind, str(seconds)), environment, size)


def test_the_reason_for_which_a_plan_was_given_up_comes_before_what_is_left_by_it(script):
    (ending,) = run_all([script(AKASHI, "changes")], 1, lambda one: None)
    assert told(ending).endswith("[plan.changed] run it again / まだ")


@pytest.mark.parametrize(("kind", "mark"), [("rejects", "✗"), ("rejects before", "✓")])
def test_a_rejected_delivery_is_named_by_the_run_that_rejects_it_and_ever_after(script, kind, mark):
    (ending,) = run_all([script(AKASHI, kind)], 1, lambda one: None)
    line = told(ending)
    assert line.startswith(mark) and line.endswith("却下 2026-09 推計人口: 他団体のデータです [manifest.city]")


@pytest.mark.parametrize(
    ("states", "mark"),
    [
        (["ready", "waiting"], "・"),
        (["under_way"], "・"),
        (["ready", "held"], "✗"),
        (["failed"], "✗"),
        (["blocked", "ready"], "✗"),
        (["waiting"], "✗"),
    ],
)
def test_work_that_the_next_run_does_is_told_apart_from_what_needs_somebody(states, mark):
    steps = [{"state": state, "ja": "まだ"} for state in states]
    assert told(Ending(AKASHI, "明石市", 1, {"outstanding": steps}, "", 1.0)).startswith(mark)
    assert (
        told(Ending(AKASHI, "明石市", 1, {"outstanding": steps, "runs": [{"what": "x", "faults": []}]}, "", 1.0))[0]
        == "✗"
    )


def test_one_that_fails_stops_no_other_and_is_named(script):
    kinds = {KOBE: "ends", HIMEJI: "dies", AKASHI: "refuses", AIOI: "leaves"}
    endings = {one.code: one for one in run_all([script(*one) for one in kinds.items()], 2, lambda one: None)}
    assert {code: one.done for code, one in endings.items()} == {code: kind == "ends" for code, kind in kinds.items()}
    assert endings[HIMEJI].exit_code == -9 and "exit -9" in told(endings[HIMEJI])
    assert "[custody.absent]" in told(endings[AKASHI]) and "まだ" in told(endings[AIOI])


def test_one_worker_takes_the_small_ones_first(script):
    sizes = {KOBE: 90, AIOI: 1, HIMEJI: 50}
    endings = run_all([script(code, "ends", size) for code, size in sizes.items()], 1, lambda one: None)
    assert [one.code for one in endings] == [AIOI, HIMEJI, KOBE]


def test_of_two_workers_one_begins_with_the_largest_and_the_small_ones_do_not_wait_for_it(script, tmp_path):
    """The largest ends only when all the others have: did one of them wait for it, nothing would end."""
    large = script(KOBE, "waits", 90)
    small = [script(code, "ends", number) for number, code in enumerate(list(municipalities("28"))[1:6], start=1)]
    ended: list[str] = []

    def tell(one: Ending) -> None:
        ended.append(one.code)
        if len(ended) == len(small):
            (tmp_path / "all").touch()

    run_all([*small, large], 2, tell)
    assert ended == [*(task.code for task in small), KOBE]


def test_an_interruption_ends_what_is_under_way(script, monkeypatch):
    started = time.perf_counter()
    join, calls = running.threading.Thread.join, []

    def first_join_is_interrupted(self, timeout=None):
        calls.append(self)
        if len(calls) == 1:
            time.sleep(0.5)
            raise KeyboardInterrupt
        return join(self, timeout)

    monkeypatch.setattr(running.threading.Thread, "join", first_join_is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_all([script(KOBE, "ends", 1, 60.0), script(AIOI, "ends", 2, 60.0)], 1, lambda one: None)
    assert time.perf_counter() - started < 20


def test_residents_are_shared_as_the_real_ones_are():
    every = residents_of(chosen("41"), 5_400_000)
    assert len(every) == 41 and sum(every.values()) == 5_400_000 and set(every) == set(municipalities("28"))
    assert 1_450_000 < every[KOBE] < 1_550_000 and min(every.values()) > 9_000
    assert chosen("3") == [KOBE, HIMEJI, "28204"] and chosen(f"{AIOI},{KOBE}") == [AIOI, KOBE]
    for wrong in ("0", "42", "99999", f"{KOBE},{KOBE}", ""):
        assert refused(lambda wrong=wrong: chosen(wrong)) == "synthesis.municipalities"
    assert refused(lambda: residents_of(chosen("41"), 100_000)) == "synthesis.municipalities"


def test_each_municipality_has_keys_that_open_nothing_of_another(settings):
    """`add` makes them, `status` names who lost theirs, and the others go on."""
    run = CliRunner().invoke(prefecture_app, ["add", AKASHI, AIOI, "--workers", "2"])
    assert run.exit_code == 0, run.output
    rings = [(home.path / "keys" / "root.key").read_bytes() for home in homes(settings).values()]
    assert len(set(rings)) == 2
    again = CliRunner().invoke(prefecture_app, ["add", AKASHI])
    assert again.exit_code == 0 and (homes(settings)[AKASHI].path / "keys" / "root.key").read_bytes() == rings[0]
    for file in (homes(settings)[AIOI].path / "keys").iterdir():
        file.unlink()
    for code in (AKASHI, AIOI):
        (settings.inbox / code / "town_districts").mkdir(parents=True)
    found = CliRunner().invoke(prefecture_app, ["status", "--workers", "2", "--json"])
    report = {one["code"]: one for one in json.loads(found.stdout)["municipalities"]}
    assert found.exit_code == 1 and report[AKASHI]["exit_code"] == 0, found.output
    assert report[AIOI]["exit_code"] == 1 and "kobe keys init" in report[AIOI]["left"][0]


@pytest.mark.parametrize("command", ["status", "run"])
def test_settings_of_one_home_that_cannot_be_read_are_named_and_stop_no_other(settings, script, command, monkeypatch):
    for code in (AKASHI, AIOI):
        new_home(settings, code)
    monkeypatch.setattr(running, "Task", lambda code, name, *rest: script(code, "ends"))
    (homes(settings)[AKASHI].path / OWN_SETTINGS).write_text("KOBE_HOME=/other\n", "utf-8")
    done = CliRunner().invoke(prefecture_app, [command, "--json"])
    report = {one["code"]: one for one in json.loads(done.stdout)["municipalities"]}
    assert (done.exit_code, report[AKASHI]["exit_code"], report[AIOI]["exit_code"]) == (1, 2, 0), done.output
    assert "[prefecture.settings]" in report[AKASHI]["error"] and "/other" not in done.output
    lines = CliRunner().invoke(prefecture_app, [command]).output.splitlines()
    assert [line[:7] for line in lines[:2]] == [f"✗ {AKASHI}", f"✓ {AIOI}"] and AKASHI in lines[2]


@pytest.mark.parametrize("month", ["2025-6", "2025-13", "June"])
def test_a_month_that_is_none_is_bad_usage_and_not_nothing_to_do(settings, month):
    new_home(settings, AKASHI)
    done = CliRunner().invoke(prefecture_app, ["publish", month])
    assert done.exit_code == 2 and "YYYY-MM" in done.output, done.output


@pytest.mark.parametrize("command", ["status", "run"])
def test_homes_of_two_prefectures_are_refused_before_any_work(settings, command, monkeypatch):
    """Afterwards, what the municipalities' runs told would be lost."""
    for code in (AKASHI, AIOI):
        new_home(settings, code)
    elsewhere = replace(municipality(AIOI), prefecture="13")
    monkeypatch.setattr(of_homes, "municipality", lambda code: elsewhere if code == AIOI else municipality(code))
    begun = []
    monkeypatch.setattr(running, "run_all", lambda *told: begun.append(told) or [])
    done = CliRunner().invoke(prefecture_app, [command])
    assert done.exception.code == "prefecture.several" and not begun, (done.exception, begun)


def test_a_code_that_is_none_makes_no_home(settings):
    assert CliRunner().invoke(prefecture_app, ["add", AKASHI, "28101"]).exit_code != 0
    assert not settings.prefecture.exists()


def test_a_process_that_is_slow_to_read_gets_all_that_it_is_told(tmp_path, monkeypatch):
    """More than a pipe holds, read after longer than a run is looked at."""
    (tmp_path / "reads.py").write_text(
        f"import json, sys, time\ntime.sleep({2 * running._LOOK_SECONDS})\n"
        "print(json.dumps({'read': len(sys.stdin.read())}))\n"
    )
    monkeypatch.setattr(running, "MODULE", "reads")
    task = Task(KOBE, KOBE, (), {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert running.run_one(task, "x" * 1_000_000).report == {"read": 1_000_000}
