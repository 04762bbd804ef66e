"""Questions as jobs: a process that shows its steps, can be cancelled or killed, and writes no figure."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from kobe_platform.custody.durable import locked
from kobe_platform.errors import PlatformError, QuestionError
from kobe_platform.governance.people import add_person
from kobe_platform.governance.trail import note
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand.answers import STAGE
from kobe_platform.ondemand.asking import ACTION, UNCOUNTED
from kobe_platform.ondemand.jobs import CANCELLED, DONE, ENDED, LONGEST, Jobs, Limits
from kobe_platform.statistics.history import former_releases
from tests.unit.ondemand.conftest import CANARY, MONTH, residents
from tests.unit.ondemand.test_answers import question

BY_WARD = f'month = "{MONTH}"\nmeasure = "residents"\ndimensions = ["ward", "age5", "sex"]\n'
BY_AGE = f'month = "{MONTH}"\nmeasure = "residents"\ndimensions = ["age10"]\n'


@pytest.fixture
def jobs(desk, analyst, tmp_path):
    add_person(desk.governance, "sato", "佐藤", "課", roles=("analyst",), by="test")
    return Jobs(tmp_path)


@pytest.fixture
def start(tmp_path):
    """Starts real processes; those that are left are ended."""
    started = []

    def run(file, login, lock):
        command = [sys.executable, "-m", "tests.unit.ondemand.job_process", str(tmp_path), str(file)]
        with (tmp_path / "job.log").open("ab") as log:
            started.append(subprocess.Popen(command, pass_fds=(lock,), stdout=log, stderr=log, start_new_session=True))
        return started[-1].pid

    yield run
    for process in started:
        process.kill()
        process.wait()


def heeding():
    """TERM ends the process: what runs the tests in the background may have handed it down as ignored."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def idle(file, login, lock):
    """A process that does nothing."""
    return subprocess.Popen(["sleep", "60"], pass_fds=(lock,), preexec_fn=heeding).pid


def until(jobs, job, reached):
    """The job as soon as it is as wanted."""
    for _ in range(600):
        job = jobs.find(job.id, job.owner)
        if reached(job):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def at(step):
    return lambda job: (job.step == step and job.progress is not None) or job.outcome is not None


def ended(job):
    return job.outcome is not None


@pytest.mark.slow
def test_two_analysts_are_served_at_the_same_time_and_a_third_question_waits(jobs, start, desk, tmp_path):
    """Both are answered, and nothing of a figure stands in the files of jobs or in what a process says."""
    first = jobs.enter("yamada", BY_WARD, Limits(), start)
    second = jobs.enter("sato", BY_AGE, Limits(), start)
    third = jobs.enter("yamada", BY_AGE, Limits(), start)
    for job in (first, second):
        assert until(jobs, job, at("protecting")).outcome is None, "neither waits for the other"
    assert until(jobs, third, at("waiting")).step == "waiting", "a person's questions come one after another"
    (tmp_path / "go").touch()
    for job in (first, second, third):
        outcome = until(jobs, job, ended).outcome
        assert outcome.code == DONE and outcome.answer.endswith(f"/{MONTH}")
    assert (desk.asked_by("yamada"), desk.asked_by("sato")) == (2, 1)
    files = [path for path in (*jobs.folder.rglob("*"), tmp_path / "job.log") if path.is_file()]
    written = b"\n".join(path.read_bytes() for path in files if path.name != "lock").decode()
    assert len(files) > 12 and CANARY not in written and "suppressed" not in written
    fields = {"code", "words", "answer", "offer", "owner", "limits", "step", "round", "since"}
    keys = {key for path in files if path.suffix == ".json" for key in json.loads(path.read_text())}
    assert keys <= fields, "there is no place for a figure"


@pytest.mark.slow
def test_a_cancelled_question_leaves_nothing_and_is_not_counted(jobs, start, desk, tmp_path):
    job = until(jobs, jobs.enter("yamada", BY_WARD, Limits(), start), at("protecting"))
    jobs.cancel(job)
    assert until(jobs, job, ended).outcome.code == CANCELLED
    assert desk.asked_by("yamada") == 0 and desk.store.sources("answers") == []
    assert former_releases(desk.store, "stocks/month", MONTH) == [] and not list(jobs.folder.rglob("*.new"))
    (tmp_path / "go").touch()
    again = jobs.enter("yamada", BY_WARD, Limits(), start)
    assert again.id != job.id and until(jobs, again, ended).outcome.code == DONE


@pytest.mark.slow
def test_a_question_that_was_cancelled_before_its_process_heeded_signals_is_not_begun(jobs, desk, tmp_path):
    """A portal that was started with TERM ignored hands that down, and the signal of an early press is lost."""
    processes = []

    def start(file, login, lock):
        command = [sys.executable, "-m", "tests.unit.ondemand.job_process", str(tmp_path), str(file)]
        processes.append(subprocess.Popen(command, pass_fds=(lock,), preexec_fn=deaf))
        return processes[-1].pid

    job = jobs.enter("yamada", BY_WARD, Limits(), start)
    jobs.cancel(job)
    (tmp_path / "go").touch()
    assert until(jobs, job, ended).outcome.code == CANCELLED and desk.asked_by("yamada") == 0
    assert processes[0].wait(10) == 0, "it ended by itself"


def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@pytest.mark.slow
def test_what_is_being_recorded_is_not_cancelled_and_counts(jobs, start, desk, tmp_path):
    """Else one could learn from that step that there is an answer, and pay nothing."""
    (tmp_path / "go").touch()
    with locked(desk.store.root / f".{STAGE}.lock"):
        job = until(jobs, jobs.enter("yamada", BY_AGE, Limits(), start), at("recording"))
        jobs.cancel(job)
        jobs.cancel(jobs.find(job.id, "yamada"))
        time.sleep(0.3)
        assert jobs.find(job.id, "yamada").outcome is None
    assert until(jobs, job, ended).outcome.code == DONE and desk.asked_by("yamada") == 1


@pytest.mark.slow
def test_a_killed_process_is_seen_as_dead_by_every_portal(jobs, start, desk, tmp_path):
    """The lock says who lives: a portal that starts anew finds the one that runs, and not the one that is gone."""
    job = until(jobs, jobs.enter("yamada", BY_WARD, Limits(), start), at("protecting"))
    restarted = Jobs(tmp_path)
    assert [one.id for one in restarted.live()] == [job.id]
    os.kill(int((jobs.folder / job.id / "lock").read_text()), signal.SIGKILL)
    assert until(restarted, job, ended).outcome.code == ENDED and restarted.live() == []
    assert desk.asked_by("yamada") == 0


@pytest.mark.slow
def test_a_question_over_its_time_ends_by_itself(jobs, start, desk):
    job = jobs.enter("yamada", BY_WARD, Limits(longest_seconds=1), start)
    assert until(jobs, job, ended).outcome.code == LONGEST and desk.asked_by("yamada") == 0


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, CANCELLED), (signal.SIGALRM, LONGEST)])
def test_a_stop_is_no_fault_where_a_library_makes_an_error_of_its_own_of_it(number, code, jobs, start, desk, tmp_path):
    (tmp_path / "stop").write_text(str(int(number)))
    job = jobs.enter("yamada", BY_WARD, Limits(), start)
    assert until(jobs, job, ended).outcome.code == code and desk.asked_by("yamada") == 0


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGALRM])
def test_a_refusal_stands_and_counts_however_the_search_for_a_nearer_question_ends(how, jobs, start, desk, tmp_path):
    """Killed where a library does not come back (KILL), cancelled (TERM), over the time limit (ALRM)."""
    (tmp_path / "refuse").touch()
    job = jobs.enter("yamada", BY_WARD, Limits(), start)
    until(jobs, job, lambda _: (jobs.folder / job.id / "refusal.json").exists())
    assert jobs.find(job.id, "yamada").outcome is None, "the nearest question may still be found"
    if how == signal.SIGTERM:
        jobs.cancel(job)
    else:
        os.kill(int((jobs.folder / job.id / "lock").read_text()), how)
    outcome = until(jobs, job, ended).outcome
    assert (outcome.code, outcome.offer) == ("ondemand.unsafe", None) and "性別を外す" in outcome.words
    assert desk.asked_by("yamada") == 1


def test_a_job_is_its_owners_alone_and_its_number_no_path(jobs):
    job = jobs.enter("yamada", BY_WARD, Limits(), idle)
    assert jobs.find(job.id, "yamada") and jobs.find(job.id, "sato") is None and jobs.of("sato") == []
    assert jobs.find(f"../jobs/{job.id}", "yamada") is None
    jobs.cancel(job)
    assert until(jobs, job, ended).outcome.code == CANCELLED, "also one whose process has not told a step yet"


def test_one_question_twice_is_one_job_and_a_person_has_so_many_unfinished_ones(jobs):
    limits = Limits(per_person=2)
    first = jobs.enter("yamada", BY_WARD, limits, idle)
    assert jobs.enter("yamada", BY_WARD, limits, idle).id == first.id
    second = jobs.enter("yamada", BY_AGE, limits, idle)
    with pytest.raises(QuestionError) as refusal:
        jobs.enter("yamada", BY_AGE.replace("age10", "sex"), limits, idle)
    assert refusal.value.code == "ondemand.busy" and "2件" in refusal.value.ja
    other = jobs.enter("sato", BY_AGE, limits, idle)
    assert [jobs.may_begin(job) for job in (first, second, other)] == [True, False, True]
    assert not jobs.may_begin(replace(other, limits=Limits(at_once=1)))
    for job in (first, second, other):
        jobs.cancel(job)


def test_a_signal_goes_to_the_process_that_holds_the_lock_and_to_no_other(jobs):
    """The number of a process that is gone may be another's by now."""
    job = jobs.enter("yamada", BY_WARD, Limits(), lambda *_: os.getpid())
    assert job.outcome.code == ENDED
    jobs.cancel(job)
    jobs.cancel(replace(job, cancelling=True))


def test_folders_of_jobs_that_ended_are_removed_after_some_days(jobs):
    old = jobs.enter("yamada", BY_WARD, Limits(), lambda *_: 0)
    running = jobs.enter("yamada", BY_WARD, Limits(), idle)
    (jobs.folder / ".left-over").mkdir()
    before = time.time() - 8 * 86_400
    for job in (old, running):
        os.utime(jobs.folder / job.id, (before, before))
    new = jobs.enter("yamada", BY_AGE, Limits(kept_days=7), lambda *_: 0)
    assert [job.id for job in jobs.of("yamada")] == [new.id, running.id]
    assert not (jobs.folder / ".left-over").exists()
    jobs.cancel(running)


@pytest.mark.slow
@pytest.mark.parametrize("code", sorted(UNCOUNTED))
def test_what_tells_of_the_data_alone_costs_nothing(code, desk, analyst):
    note(desk.governance, analyst.login, ACTION, outcome="refused", detail={"code": code})
    assert desk.asked_by(analyst.login) == 0
    note(desk.governance, analyst.login, ACTION, outcome="refused", detail={"code": "ondemand.unsafe"})
    assert desk.asked_by(analyst.login) == 1


def test_a_month_that_is_not_ready_costs_nothing(desk, analyst, statistics):
    desk.store.write(PartitionId("lake", "resident_register", MONTH), residents(4))
    with pytest.raises(PlatformError) as refusal:
        desk.ask(analyst, question("ward", "age5"))
    assert refusal.value.code in UNCOUNTED and desk.asked_by(analyst.login) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("progress.json", b'{"step": "coun'),
        ("progress.json", b'{"step": "counting"}'),
        ("progress.json", b"[]"),
        ("outcome.json", b"\xff"),
        ("outcome.json", b'{"words": "x"}'),
        ("job.json", b'{"owner": "sato", "limits": {"at_once": 2, "of_another_version": 1}}'),
        ("job.json", b""),
        ("question.toml", b'measure = "residents\x7f"'),
    ],
)
def test_one_unreadable_folder_stops_nobodys_jobs(file, content, jobs):
    broken = jobs.enter("sato", BY_WARD, Limits(), lambda *_: 0)
    (jobs.folder / broken.id / file).write_bytes(content)
    job = jobs.enter("yamada", BY_AGE, Limits(), idle)
    assert [one.id for one in jobs.live()] == [job.id] and jobs.may_begin(job)
    assert all(one.outcome.code == ENDED and isinstance(one.asked, dict) for one in jobs.of("sato"))
    jobs.cancel(job)


def test_a_folder_whose_number_is_no_day_is_no_job(jobs):
    entered = jobs.enter("sato", BY_WARD, Limits(), lambda *_: 0)
    odd = "99999999999999999999" + entered.id[20:]
    shutil.copytree(jobs.folder / entered.id, jobs.folder / odd)
    assert [job.id for job in jobs.of("sato")] == [entered.id] and jobs.find(odd, "sato") is None


def test_no_press_kills_a_process_that_may_be_recording(jobs, monkeypatch):
    """The step that a portal has read may be over by the time that the signal comes."""
    sent = []
    monkeypatch.setattr("kobe_platform.ondemand.jobs._send", lambda _lock, number: sent.append(number))
    job = jobs.enter("yamada", BY_WARD, Limits(), lambda *_: 0)
    jobs.cancel(job)
    jobs.cancel(replace(job, cancelling=True))
    assert sent == [signal.SIGTERM, signal.SIGTERM]
