"""Old releases lose their pages and tables by command or policy; their records stay, and nothing in force goes."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from kobe_platform.errors import LoungeError
from kobe_platform.lounge import pruning
from kobe_platform.lounge.commands import release_app
from kobe_platform.lounge.pruning import prune
from kobe_platform.lounge.release import current, releases_of, rollback, verify
from tests.unit.web.conftest import write_release

IDS = [f"{number:04d}-0123456789ab" for number in range(1, 6)]


@pytest.fixture
def five(tmp_path, monkeypatch):
    """Five releases, the last in force."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    for id in IDS:
        write_release(tmp_path / "releases", {"staff": {"index.html": id}}, id)
    return tmp_path / "releases"


def whole(releases):
    return [release.id for release in releases_of(releases) if (release.path / "sites").is_dir()]


def test_the_newest_stay_whole_and_the_others_keep_their_record(five):
    assert prune(five, 2) == IDS[:3]
    assert whole(five) == IDS[3:]
    assert [release.id for release in releases_of(five)] == IDS
    oldest = releases_of(five)[0]
    assert oldest.pruned_at and [path.name for path in oldest.path.iterdir()] == ["release.json"]
    assert verify(oldest) == []
    assert prune(five, 2) == []


def test_what_is_newer_than_the_release_in_force_is_not_pruned(five):
    rollback(five, IDS[2])
    assert prune(five, 2) == IDS[:1]
    assert current(five).id == IDS[2] and whole(five) == IDS[1:]


def test_one_to_go_back_to_always_stays(five):
    with pytest.raises(LoungeError) as refused:
        prune(five, 1)
    assert refused.value.code == "release.keep" and whole(five) == IDS


def test_a_crash_while_files_go_is_made_up_for_by_the_next_call(five, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(pruning.shutil, "rmtree", crash)
        with pytest.raises(KeyboardInterrupt):
            prune(five, 4)
    assert releases_of(five)[0].pruned_at, "a release that lacks files never passes for a whole one"
    with pytest.raises(LoungeError):
        rollback(five, IDS[0])
    assert prune(five, 4) == IDS[:1] and whole(five) == IDS[1:]


def test_nobody_goes_back_to_a_pruned_release(five):
    prune(five, 4)
    with pytest.raises(LoungeError) as refused:
        rollback(five, IDS[0])
    assert IDS[0] not in refused.value.remedy
    rollback(five, IDS[1])
    with pytest.raises(LoungeError):
        rollback(five)


def test_without_releases_there_is_nothing_to_prune(tmp_path):
    assert prune(tmp_path / "none", 3) == [] and not (tmp_path / "none").exists()


def test_the_command_takes_the_policy_or_a_number(five, monkeypatch):
    def run(*arguments):
        return CliRunner().invoke(release_app, list(arguments))

    assert run("prune").exit_code == 2 and whole(five) == IDS
    assert json.loads(run("prune", "--keep", "4", "--json").stdout) == {"pruned": IDS[:1]}
    monkeypatch.setenv("KOBE_KEEP_RELEASES", "3")
    assert run("prune").stdout.splitlines() == [f"{IDS[1]} pruned", "1 releases pruned"]
    assert "pruned" in run("list").stdout.splitlines()[0]
    shutil.rmtree(five)
    assert run("prune").exit_code == 0
