"""The prefecture's code location: one asset, a job of it, and the sensor that asks for what is due; it opens no key.

``defs`` is what ``kobe prefecture dev``, Celery's workers and a container's code server load. A run works for one
municipality: it starts that one's ``kobe run`` as a process which knows no other home, and notes which of its months
are done.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from kobe_platform.errors import PlatformError
from kobe_platform.orchestration.attending import quiet_console
from kobe_platform.prefecture.homes import homes
from kobe_platform.prefecture.machines import due
from kobe_platform.prefecture.machines.claims import claims_of
from kobe_platform.prefecture.machines.deliveries import defined, delivered_months
from kobe_platform.prefecture.machines.instance import leaves_places, own_settings
from kobe_platform.prefecture.running import Ending, Task, run_all
from kobe_platform.privacy.border import border, seal_process
from kobe_platform.privacy.io_manager import RefusingIOManager
from kobe_platform.privacy.metadata import allowed
from kobe_platform.settings import Settings

JOB, SENSOR = "municipality", "municipalities"
SECONDS_BETWEEN_TICKS = 15
MAX_RUNTIME = {"dagster/max_runtime": str(6 * 3600)}
_COUNTED = {"runs": "runs", "outstanding": "outstanding", "rejected": "turned_away"}
"""What a run's facts count, and the part of the municipality's report that it is counted from."""

seal_process()


def build_prefecture(settings: Settings | None = None) -> dg.Definitions:
    """The graph of a prefecture.

    Args:
        settings: of the prefecture's own home; from the environment by default.
    """
    of = own_settings(settings or Settings())
    asset = _released_months(of)
    job = dg.define_asset_job(
        JOB, selection=[asset], description="1市町村の取込みから公開まで(kobe run を別のプロセスで)", tags=MAX_RUNTIME
    )
    return dg.Definitions(
        assets=[asset],
        jobs=[job],
        sensors=[_sensor(of, job)],
        resources={"io_manager": RefusingIOManager()},
        executor=dg.in_process_executor,
        loggers={"console": quiet_console},
    )


def _released_months(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=due.RELEASED,
        partitions_def=due.PARTITIONS,
        group_name="prefecture",
        description="市町村の月ごとの公開。鍵は開けず、市町村ごとのプロセスに任せる。",
    )
    def released_months(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        asked, code = (context.partition_key.keys_by_dimension[name] for name in ("month", "municipality"))
        with border(municipality=code):
            ending, delivered = _worked(context, settings, code, asked)
            facts = allowed(_facts(ending))
            done = months_done(ending, delivered)
            for month in done:
                if month != asked:
                    context.log_event(_materialization(month, code, delivered[month], facts))
            if asked not in done:
                raise left(ending, code)
        yield dg.MaterializeResult(metadata=facts, data_version=dg.DataVersion(delivered[asked]))
        if not ending.done:
            with border(municipality=code):
                raise left(ending, code)

    return released_months


def _worked(
    context: dg.AssetExecutionContext, settings: Settings, code: str, asked: str
) -> tuple[Ending, dict[str, str]]:
    """Run the municipality's ``kobe run`` to its end, held against others; what had been delivered before it began.

    Raises:
        PlatformError: ``prefecture.undelivered``: nothing of the month that is asked for lies in the inbox.
    """
    home = homes(settings, (code,))[code]
    with claims_of(settings).holding(code) as claim:
        environment = home.environment(settings)
        delivered = delivered_months(home, environment, defined(settings))
        if asked not in delivered:
            raise PlatformError(
                "nothing has been delivered by this municipality for this month",
                code="prefecture.undelivered",
                at={"municipality": code, "month": asked},
                remedy="nothing needs to be done: it is worked through by itself when it has come",
                ja="この市町村のこの月の提供データは、まだ届いていません",
            )
        task = Task(code, home.place.name, ("run", "--json"), environment, holds=claim.handles)
        (ending,) = run_all([task], 1, lambda one: None, claim.lost)
        # The last word before the claim is given back: until then nobody takes this run for lost.
        context.log.info(f"kobe run ended: exit {ending.exit_code}")
    if claim.lost.is_set():
        raise PlatformError(
            "the claim on this municipality was lost, so its process was stopped",
            code="prefecture.lost",
            at={"municipality": code},
            remedy="look at the network and at PostgreSQL; it is asked for again by itself",
            ja="データベースとの接続が切れたため、この市町村の処理を止めました",
        )
    return ending, delivered


def months_done(ending: Ending, delivered: Mapping[str, str]) -> list[str]:
    """Months of which nothing is left: all where nothing is; none where the release, or the whole, is."""
    if ending.done:
        return list(delivered)
    if not ending.report or ending.report.get("faults"):
        return []
    outstanding: Sequence[Mapping[str, Any]] = ending.report.get("outstanding", ())
    if not outstanding or any(step["kind"] == "release" or not step["month"] for step in outstanding):
        return []
    return [month for month in delivered if month < min(step["month"] for step in outstanding)]


def left(ending: Ending, code: str) -> PlatformError:
    """The error of a municipality of which something is left: counts and the code of the first reason."""
    report = ending.report
    steps, faults = report.get("outstanding", ()), report.get("faults", ())
    causes = [step["cause"]["code"] for step in steps if step.get("cause")]
    causes += [fault["code"] for run in report.get("runs", ()) for fault in run["faults"] if fault["code"]]
    causes += [one["cause"]["code"] for one in report.get("turned_away", ()) if one.get("cause")]
    reason = next(iter([*(fault["code"] for fault in faults), *causes]), "") or _code_of(ending.error)
    return PlatformError(
        "something is left of this municipality",
        code="prefecture.left",
        at={
            "municipality": code,
            "exit": ending.exit_code,
            "outstanding": len(steps),
            **({"reason": reason} if reason else {}),
        },
        remedy=f"kobe prefecture status {code} says what; it is asked for again by itself",
        ja="この市町村には、終わっていない処理があります",
    )


def _code_of(error: str) -> str:
    """The code at the beginning of a line that an error of the platform left; empty where there is none."""
    found = error.removeprefix("kobe run: ").strip()
    return found[1:].partition("]")[0] if found.startswith("[") else ""


def _facts(ending: Ending) -> dict[str, object]:
    report = ending.report
    counts = {name: len(report.get(key, ())) for name, key in _COUNTED.items()}
    return {**counts, "released": bool(report.get("released")), "seconds": round(ending.seconds, 1)}


def _materialization(
    month: str, code: str, version: str, facts: Mapping[str, dg.MetadataValue]
) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        due.RELEASED, partition=due.partition(month, code), metadata=facts, tags={due.DATA_VERSION_TAG: version}
    )


def _sensor(settings: Settings, job: Any) -> dg.SensorDefinition:
    @dg.sensor(
        name=SENSOR,
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="市町村ごとに、届いた月のうち公開まで終わっていないものがあれば、処理を1回求める。",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with border(sensor=SENSOR):
            return ticked(context.instance, settings, time.time())

    return watch


def ticked(instance: dg.DagsterInstance, settings: Settings, now: float) -> dg.SensorResult:
    """One tick: end what lost its process, follow homes and deliveries with the partitions, ask for what is due."""
    due.end_lost_runs(instance, claims_of(settings), now)
    seen = due.look(settings, due.made_versions(instance))
    celery, large_first = bool(settings.broker), leaves_places(settings)
    asked = list(due.requests(instance, seen.due, large_first=large_first, celery=celery, now=now))
    reason = None if asked else dg.SkipReason(_why(seen))
    return dg.SensorResult(
        run_requests=asked, skip_reason=reason, dynamic_partitions_requests=list(_partition_changes(instance, seen))
    )


def _partition_changes(instance: dg.DagsterInstance, seen: due.Look) -> Iterator[Any]:
    for known, there in ((due.MUNICIPALITIES, seen.codes), (due.MONTHS, seen.months)):
        former = instance.get_dynamic_partitions(str(known.name))
        if new := [key for key in there if key not in former]:
            yield known.build_add_request(new)
        if gone := [key for key in former if key not in there and known is due.MUNICIPALITIES]:
            yield known.build_delete_request(gone)


def _why(seen: due.Look) -> str:
    faults = "、".join(f"{code} [{error.code}]" for code, error in seen.faults.items())
    told = (
        f"{len(seen.due)}市町村は実行待ち・実行中か、間をおいています"
        if seen.due
        else "終わっていない市町村はありません"
    )
    return f"{told}。読めない設定: {faults}" if faults else told


def __getattr__(name: str) -> object:
    """``defs``, built when Dagster asks for it and not whenever a command imports this module."""
    if name != "defs":
        raise AttributeError(name)
    return build_prefecture()
