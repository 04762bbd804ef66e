"""Questions at the same time: nobody waits for another's answer to be worked out, and each stands beside the others."""

from __future__ import annotations

import signal

import pytest
import typer
from typer.testing import CliRunner

from kobe_platform.custody.durable import locked
from kobe_platform.errors import QuestionError
from kobe_platform.governance.people import add_person
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand import answers, commands
from kobe_platform.settings import PROJECT
from kobe_platform.statistics.history import former_releases
from tests.unit.ondemand.conftest import CANARY, MONTH
from tests.unit.ondemand.test_answers import question
from tests.unit.ondemand.test_together import everything_is_safe


@pytest.fixture
def other(desk):
    return add_person(desk.governance, "sato", "佐藤", "課", roles=("analyst",), by="test")


@pytest.fixture
def meanwhile(monkeypatch, desk):
    """Have something happen each time an answer was worked out and is not committed yet; how often, is returned.

    Each time the lock of commits is free: a process that waits for it would wait for the working out.
    """
    worked_out, turns = answers._solved, []

    def hook(happens):
        def solved(*given):
            found = worked_out(*given)
            with locked(desk.store.root / f".{answers.STAGE}.lock", wait=False):
                turns.append(given)
            monkeypatch.setattr(answers, "_solved", worked_out)
            happens(len(turns))
            monkeypatch.setattr(answers, "_solved", solved)
            return found

        monkeypatch.setattr(answers, "_solved", solved)
        return turns

    return hook


def held(desk, asked) -> bool:
    return desk.store.current(PartitionId("answers", asked.statistic.name, MONTH)) is not None


@pytest.mark.slow
def test_another_is_answered_while_one_is_worked_out_and_both_are_safe(desk, analyst, other, statistics, meanwhile):
    """The second overtakes the first, which is worked out again beside it."""
    turns = meanwhile(lambda turn: turn == 1 and desk.ask(other, question("ward", "age5")))
    first, _ = desk.ask(analyst, question("ward", "age5", "sex"))
    assert len(turns) == 2 and held(desk, first) and len(desk.store.sources("answers")) == 2
    assert everything_is_safe(desk, list(statistics.values()))


def test_an_answer_that_is_committed_over_another_one_would_tell(
    desk, analyst, other, statistics, meanwhile, monkeypatch
):
    """The rule broken on purpose: what came meanwhile is not looked for."""
    monkeypatch.setattr(answers._State, "stands", lambda *_: True)
    meanwhile(lambda turn: turn == 1 and desk.ask(other, question("ward", "age5")))
    desk.ask(analyst, question("ward", "age5", "sex"))
    assert not everything_is_safe(desk, list(statistics.values()))


@pytest.mark.slow
def test_an_answer_that_is_overtaken_each_time_is_given_up_and_costs_nothing(desk, analyst, other, meanwhile):
    """Never under the lock, however often: the person is told to ask again, and the question is not counted."""
    ways = (("ward",), ("sex",), ("age10",), ("ward", "sex"), ("age10", "sex"), ("ward", "age10"))
    turns = meanwhile(lambda turn: desk.ask(other, question(*ways[turn - 1])))
    with pytest.raises(QuestionError) as refusal:
        desk.ask(analyst, question("ward", "age10", "sex"))
    assert refusal.value.code == "ondemand.overtaken" and "もう一度" in refusal.value.ja
    assert len(turns) == answers.TRIES and len(desk.store.sources("answers")) == answers.TRIES
    assert answers.TRIES == 4 and "four times in all" in (PROJECT / "docs" / "ondemand.md").read_text("utf-8")
    assert desk.asked_by(analyst.login) == 0 and desk.asked_by(other.login) == answers.TRIES


def test_progress_tells_the_steps_and_nothing_of_cells_or_refusals(desk, analyst, monkeypatch):
    """The same three steps whatever the figures: protection counts small cells, and a nearer question is a refusal."""
    told = []
    desk.ask(analyst, question("ward", "age5", "sex"), progress=lambda *step: told.append(step))
    assert told == [("counting", 1, 3), ("protecting", 2, 3), ("recording", 3, 3)]
    told.clear()
    monkeypatch.setattr(answers, "_protected", lambda *_, **__: None)
    with pytest.raises(answers.Unanswerable):
        desk.ask(analyst, question("age5", "sex"), progress=lambda *step: told.append(step))
    assert told == [("counting", 1, 3), ("protecting", 2, 3)]


@pytest.mark.parametrize("step", answers.STEPS)
def test_a_question_that_is_interrupted_is_not_counted_and_can_be_asked_again(step, desk, analyst):
    def interrupt(at, number, of):
        if at == step:
            raise KeyboardInterrupt

    asked = question("ward", "sex")
    with pytest.raises(KeyboardInterrupt):
        desk.ask(analyst, asked, progress=interrupt)
    assert desk.asked_by(analyst.login) == 0 and desk.store.sources("answers") == []
    assert former_releases(desk.store, "stocks/month", MONTH) == []
    desk.ask(analyst, asked)
    assert desk.asked_by(analyst.login) == 1


@pytest.fixture
def command(desk, analyst, monkeypatch, tmp_path):
    """Run ``kobe ask`` for a question about wards, with Ctrl-C heeded: what runs in the background ignores it."""
    monkeypatch.setattr(commands, "open_desk", lambda _: desk)
    file = tmp_path / "question.toml"
    file.write_text(f'month = "{MONTH}"\nmeasure = "residents"\ndimensions = ["ward", "sex"]\n', "utf-8")
    asking = typer.Typer()
    asking.command()(commands.ask)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: CliRunner().invoke(asking, [str(file), "--by", analyst.login])
    signal.signal(signal.SIGINT, former)


def interrupt(*_, **__):
    signal.raise_signal(signal.SIGINT)


def test_the_command_says_what_it_does_and_ends_cleanly_when_interrupted(command, desk, analyst, monkeypatch):
    monkeypatch.setattr(answers, "_protected", interrupt)
    stopped = command()
    assert stopped.exit_code == 130 and stopped.stdout == "" and "not counted" in stopped.stderr
    assert "protecting (2 of 3)" in stopped.stderr and CANARY not in stopped.stderr
    assert desk.asked_by(analyst.login) == 0


def test_the_command_says_that_a_refusal_counts_when_its_search_is_interrupted(command, desk, analyst, monkeypatch):
    monkeypatch.setattr(answers, "_protected", lambda *_, thorough=False: None if thorough else interrupt())
    stopped = command()
    assert stopped.exit_code == 130 and "there is no answer" in stopped.stderr
    assert "the question is counted" in stopped.stderr and desk.asked_by(analyst.login) == 1


def test_an_answer_that_is_being_recorded_is_not_interrupted(command, desk, analyst, monkeypatch):
    """Else one could learn from that step that there is an answer, and pay nothing."""
    committed = answers._committed

    def interrupted(*given):
        interrupt()
        return committed(*given)

    monkeypatch.setattr(answers, "_committed", interrupted)
    assert command().exit_code == 0 and desk.asked_by(analyst.login) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "afterwards Ctrl-C works again"
