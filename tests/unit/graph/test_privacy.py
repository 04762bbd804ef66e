"""Nothing that could be a value gets into Dagster: not from errors, metadata, objects or what a step prints."""

import hashlib
import os
from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value
from sqlalchemy import make_url

from assets.dashboards import release_facts
from kobe_platform.definitions import build_definitions
from kobe_platform.errors import DeliveryRejected, GovernanceError
from kobe_platform.governance.database import open_database
from kobe_platform.privacy.border import border, error_metadata
from kobe_platform.privacy.instance import open_instance, prepare_instance
from kobe_platform.privacy.io_manager import RefusingIOManager
from kobe_platform.privacy.metadata import MetadataRefused, allowed
from kobe_platform.settings import Settings

CANARY = "神戸花子900000000001"


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(Settings(home=tmp_path / "var", inbox=tmp_path / "inbox")) as opened:
        yield opened


def everything_written_under(path) -> bytes:
    return b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())


def run(asset, instance):
    return dg.materialize(
        [asset], instance=instance, raise_on_error=False, resources={"io_manager": RefusingIOManager()}
    )


def fails_in_polars():
    pl.Series([CANARY]).str.to_integer(strict=True)


def fails_with_a_key_error():
    raise KeyError(CANARY)


def fails_behind_the_engines_own_error():
    try:
        fails_with_a_key_error()
    except KeyError as error:
        raise DeliveryRejected("a row is wrong", code="x.y", at={"line": 7}, remedy="send it again") from error


@pytest.mark.slow
@pytest.mark.parametrize("body", [fails_in_polars, fails_with_a_key_error, fails_behind_the_engines_own_error])
@pytest.mark.parametrize("inside_the_border", [True, False])
def test_a_failing_step_leaves_no_value_under_the_home(body, inside_the_border, instance, tmp_path, capfd):
    @dg.asset
    def failing():
        print(CANARY)
        if inside_the_border:
            with border(stage="raw"):
                body()
        body()

    assert not run(failing, instance).success
    written = everything_written_under(tmp_path)
    assert written
    printed = capfd.readouterr()
    for form in (CANARY.encode(), CANARY.encode("cp932"), CANARY.encode("unicode_escape"), b"900000000001"):
        assert form not in written
    assert CANARY not in printed.err


def test_the_border_tells_coordinates_code_and_remedy():
    with pytest.raises(dg.Failure) as caught, border(stage="raw", month="2025-07"):
        fails_behind_the_engines_own_error()
    told = caught.value.description
    assert "[x.y]" in told and "line 7" in told and "month 2025-07" in told and "send it again" in told
    assert CANARY not in told and caught.value.__cause__ is None


def test_the_border_tells_the_place_of_an_error_of_a_library_and_withholds_its_message():
    with pytest.raises(dg.Failure) as caught, border(stage="lake"):
        fails_in_polars()
    assert "border.withheld" in caught.value.description and "ComputeError" in caught.value.description
    assert CANARY not in caught.value.description


def test_the_ui_shows_the_sentence_and_the_place_of_an_error_before_its_coordinates():
    at = {"delivery": "x/2025-07", "file": "a.csv", "line": 7, "column": "value"}
    told = error_metadata(DeliveryRejected("a row is wrong", code="x.y", at=at, ja="行が誤っています"))
    assert told[min(told)] == "行が誤っています（ファイル a.csv、7行目、項目 value）", "the UI sorts by name"
    assert told["code"] == "x.y" and told["at/line"] == "7"


def test_the_border_keeps_the_description_in_the_event_log(instance):
    @dg.asset
    def failing():
        with border(stage="raw"):
            raise DeliveryRejected("a row is wrong", code="x.y", at={"line": 7})

    result = run(failing, instance)
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert "[x.y]" in failure.step_failure_data.user_failure_data.description


@pytest.mark.slow
@pytest.mark.parametrize("returned", [pl.DataFrame({"name": [CANARY]}), CANARY, {"a": 1}])
def test_an_object_returned_from_an_asset_is_refused_and_not_written(returned, instance, tmp_path):
    @dg.asset
    def leaking():
        return returned

    assert not run(leaking, instance).success
    assert CANARY.encode() not in everything_written_under(tmp_path)


def test_nothing_returned_passes(instance):
    @dg.asset
    def counting() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=allowed({"rows": 3}))

    assert run(counting, instance).success


@pytest.mark.parametrize(
    "value", [CANARY, "900000000001", "two words", ["a"], None, b"x", pl.Series([1]), "2025-07-01 12:34:56.789012"]
)
def test_metadata_refuses_what_could_be_a_value(value):
    with pytest.raises(MetadataRefused) as caught:
        allowed({"fact": value})
    assert str(value) not in str(caught.value) or value in ("", None)


def test_metadata_takes_counts_digests_and_rule_names():
    facts = {"rows": 3, "share": 0.5, "ok": True, "digest": "0a" * 32, "month": "2025-07"}
    facts["set_aside"] = {"birth.future": 2}
    assert set(allowed(facts)) == {"rows", "share", "ok", "digest", "set_aside/birth.future", "month"}


def test_the_instance_has_telemetry_and_compute_logs_off(tmp_path):
    home = prepare_instance(Settings(home=tmp_path / "var"))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"
        assert instance.get_settings("telemetry") == {"enabled": False}
        assert not instance.run_retries_enabled and instance.run_monitoring_enabled
    assert os.stat(home).st_mode & 0o077 == 0


def test_one_variable_moves_dagsters_records_to_postgresql(tmp_path):
    home = prepare_instance(Settings(home=tmp_path / "var", postgres_url="postgresql://localhost/kobe"))
    text = (home / "dagster.yaml").read_text("utf-8")
    assert "KOBE_POSTGRES_URL" in text and "localhost" not in text


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_an_address_of_postgresql_is_opened_by_the_driver_that_is_installed(scheme, tmp_path, monkeypatch):
    monkeypatch.setenv("KOBE_POSTGRES_URL", f"{scheme}://kobe@127.0.0.1:1/kobe")
    settings = Settings(home=tmp_path / "var")
    for address in (settings.postgres_url, settings.environment()["KOBE_POSTGRES_URL"]):
        with pytest.raises(GovernanceError, match="cannot be reached"):
            open_database(address)
    assert make_url(settings.environment()["KOBE_POSTGRES_URL"]).get_driver_name() == "psycopg2"


def test_every_release_may_be_told_whatever_digits_its_name_holds():
    for number in range(2_000):
        content = hashlib.sha256(str(number).encode()).hexdigest()
        release = SimpleNamespace(id=f"0001-{content[:12]}", content=content, made=True, pages=(), tables={}, sites={})
        assert allowed(release_facts(release))["release"].value == 1


def test_dagster_has_no_setting_of_the_installation_to_show(tmp_path):
    """Whoever may open Dagster reads the configuration of a job's resources; a run still finds them."""
    places = {"home": tmp_path / "canary-home", "inbox": tmp_path / "canary-inbox"}
    url = f"sqlite:///{tmp_path}/governance.sqlite?password=canary-hakata"
    settings = Settings(**places, database_url=url, kms_endpoint="https://canary-kms")
    shown = build_definitions(settings).get_repository_def()
    told = serialize_value(RepositorySnap.from_def(shown))
    assert "canary" not in told
    resources = shown.get_job("tabulate").resource_defs
    with dg.build_resources({name: resources[name] for name in ("governance", "lake")}) as found:
        assert found.governance.url == url
        assert found.lake.keys_path == str(settings.keys)
