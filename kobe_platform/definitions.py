"""Builds Dagster's definitions of the platform from contracts, statistics and pages.

``defs`` is what ``workspace.yaml`` loads; a test or a command builds its own with :func:`build_definitions`.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from assets.abstracted import abstracted_assets
from assets.alerting import alert_sensor
from assets.conventions import months
from assets.dashboards import dashboard_assets
from assets.deciding import deciding_job
from assets.forecasts import forecast_assets
from assets.jobs import delivery_jobs, release_job, tabulation_job
from assets.lake import lake_assets
from assets.ondemand import on_demand_job
from assets.published import published_assets
from assets.raw import raw_assets
from assets.schedules import nightly, nightly_verification, retention_schedule
from assets.sensors import INBOX, RELEASES, TABLES, plan_sensors
from assets.statistics import public_assets, statistics_assets
from assets.unusual import unusual_assets
from checks.delivery import delivery_checks
from checks.disclosure import disclosure_checks
from checks.forecasts import forecast_checks
from checks.identities import identity_checks
from checks.pages import page_checks
from checks.quality import quality_checks
from checks.secrecy import secrecy_checks
from checks.unusual import unusual_checks
from kobe_platform.ondemand import load_menu
from kobe_platform.orchestration.attending import attended_executor, quiet_console
from kobe_platform.planning.observing import Observer
from kobe_platform.privacy.border import seal_process
from kobe_platform.privacy.io_manager import RefusingIOManager
from kobe_platform.quality.trial import try_contracts
from kobe_platform.settings import Settings
from kobe_platform.trials import Trials
from resources import Governance, Inbox, Lake, Releases

seal_process()


def build_definitions(
    settings: Settings | None = None, overrides: Mapping[str, object] | None = None
) -> dg.Definitions:
    """The whole graph for one installation.

    Args:
        settings: where things lie; from the environment by default.
        overrides: resources by name (as :func:`installation_resources` gives them) that replace the installation's.

    Raises:
        ConfigurationError: a contract, statistic or page does not say what it must.
    """
    settings = settings or Settings()
    resources = {**installation_resources(settings), **(overrides or {})}
    planning = resources["planning"]
    # What the plan was made of is what executes it, read once.
    defined = planning if isinstance(planning, Observer) else Observer(settings)
    contracts, trials = defined.contracts, Trials(settings.trials)
    try_contracts(contracts, trials)
    statistics, tables, pages = defined.counted, defined.statistics, defined.pages
    menu = load_menu(settings.ondemand, statistics, contracts, trials)
    partitions = months(settings.start)
    jobs, tabulate, release = delivery_jobs(contracts), tabulation_job(tables), release_job()
    return dg.Definitions(
        assets=[
            *raw_assets(contracts, partitions),
            *abstracted_assets(contracts, partitions),
            *lake_assets(contracts, partitions),
            *public_assets(contracts, partitions),
            *statistics_assets(statistics, contracts, partitions),
            *published_assets(statistics, contracts, partitions),
            *forecast_assets(tables, partitions),
            *unusual_assets(tables, partitions),
            *dashboard_assets(pages, tables, contracts),
        ],
        asset_checks=[
            *delivery_checks(contracts, partitions),
            *quality_checks(contracts, partitions),
            *secrecy_checks(contracts, partitions),
            *identity_checks(statistics, contracts, partitions),
            *disclosure_checks(tables, partitions),
            *forecast_checks(tables, partitions),
            *unusual_checks(tables, partitions),
            *page_checks(pages),
        ],
        jobs=[
            *jobs,
            tabulate,
            release,
            nightly_verification,
            on_demand_job(menu, statistics, settings.history_months),
            deciding_job(),
        ],
        schedules=[nightly, retention_schedule(contracts, statistics, settings.run_log_days)],
        sensors=[*plan_sensors({INBOX: jobs, TABLES: [tabulate], RELEASES: [release]}), alert_sensor()],
        resources=without_settings(resources),
        executor=attended_executor(settings.root),
        loggers={"console": quiet_console},
    )


def installation_resources(settings: Settings) -> dict[str, object]:
    """The resources of an installation by name."""
    return {
        "inbox": Inbox(
            path=str(settings.inbox.resolve()),
            municipality=settings.municipality,
            contracts_path=str(settings.contracts),
            home=str(settings.root),
        ),
        "lake": Lake(
            root=str(settings.store),
            keys_path=str(settings.keys),
            municipality=settings.municipality,
            principal=settings.principal,
            log_path=str(settings.key_log),
            passphrase_file=str(settings.passphrase_file or ""),
            service=settings.key_service,
            kms_region=settings.kms_region,
            kms_endpoint=settings.kms_endpoint,
            raw_days=settings.raw_days,
            history_months=settings.history_months,
            store_url=settings.store_url,
        ),
        "releases": Releases(
            root=str(settings.releases),
            staging=str(settings.root / "staging"),
            dashboards_path=str(settings.dashboards),
            keep=settings.keep_releases,
            store_url=settings.store_url,
        ),
        "governance": Governance(url=settings.governance),
        "planning": Observer(settings),
        "io_manager": RefusingIOManager(),
    }


def without_settings(resources: Mapping[str, object]) -> dict[str, object]:
    """The resources as ready objects, which Dagster has no configuration of.

    Whoever may open Dagster reads the configuration of a job's resources (launchpad, resource page): with it the
    database's address and its password, and where keys lie.
    """
    given = {}
    for name, resource in resources.items():
        is_ready = isinstance(resource, dg.ConfigurableResource)
        words = type(resource).__doc__ if is_ready else None
        given[name] = dg.ResourceDefinition.hardcoded_resource(resource, words) if is_ready else resource
    return given


def __getattr__(name: str) -> object:
    """``defs``, built when Dagster asks for it and not whenever a command imports this module."""
    if name != "defs":
        raise AttributeError(name)
    return build_definitions()
