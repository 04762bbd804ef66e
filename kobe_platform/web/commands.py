"""``kobe serve``: the portal, or one audience's site without sign-in on this machine alone."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from kobe_platform.web.config import Tls

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    open_audience: Annotated[
        str, typer.Option("--open", metavar="AUDIENCE", help="This audience's site without sign-in, on this machine.")
    ] = "",
) -> None:
    """Serve the release in force behind sign-in (`kobe people add` registers the first account).

    A made-up city on a machine without portal settings or accounts is served to this machine without sign-in.
    """
    from kobe_platform.release.sharing import follow_releases

    settings = Settings()
    follow_releases(settings, lambda code: typer.echo(f"the store cannot be asked for releases: {code}", err=True))
    trial = not open_audience and host in LOOPBACK and _only_a_trial(settings)
    if trial:
        open_audience = "staff"
    if open_audience:
        if host not in LOOPBACK:
            raise ConfigurationError(
                "a site without sign-in is served to this machine only",
                code="serve.open",
                at={"host": host},
                remedy="leave --host out, or leave --open out",
                ja="サインインなしの公開は、この端末に対してだけできます",
            )
        from kobe_platform.lounge.serve import run

        typer.echo(f"http://{host}:{port}/  (audience: {open_audience}, no sign-in)")
        run(settings.releases, audience=open_audience, host=host, port=port, made_up=trial)
        return
    _portal(settings, host, port)


def _only_a_trial(settings: Settings) -> bool:
    """Whether this is a made-up city without portal settings or accounts: its figures are nobody's secret."""
    from kobe_platform.governance.database import open_database
    from kobe_platform.governance.people import people
    from kobe_platform.lounge.release import current

    release = current(settings.releases)
    made_up = release is not None and release.facts.get("basis") == "synthetic"
    return made_up and not settings.portal_file.exists() and not people(open_database(settings.governance))


def _portal(settings: Settings, host: str, port: int) -> None:
    import uvicorn

    from kobe_platform.home_format import refuse_loose
    from kobe_platform.web.config import load_config
    from kobe_platform.web.portal import build_portal
    from kobe_platform.web.wire import limited

    config = load_config(settings.portal_file)
    if host not in LOOPBACK and not config.origin:
        raise ConfigurationError(
            "a portal for others than this machine names its address",
            code="serve.origin",
            at={"file": settings.portal_file.name, "key": "origin"},
            remedy='write origin = "https://…" into the portal\'s settings (docs/security.md)',
            ja="ほかの端末に公開するには、ポータルの設定に origin が必要です",
        )
    refuse_loose(settings.keys, settings.store, settings.root / "governance.sqlite")
    with ExitStack() as stack:
        dagster = dagster_app(settings, config.dagster.workspace, stack) if config.dagster.enabled else None
        app = build_portal(settings, config, dagster=dagster)
        app.state.portal.loopback = not config.origin
        door = f", Dagster: http://{host}:{port}/dagster" if dagster is not None else ""
        typer.echo(f"http://{host}:{port}/{door}")
        # The peer's own address decides whether a proxy is trusted, so no header may replace it.
        uvicorn.run(
            app,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            **limited(config.connections),
            **tls(config.tls),
        )


def tls(told: Tls | None) -> dict[str, Any]:
    """Settings of uvicorn for the portal's own TLS; none where a proxy ends it.

    Raises:
        CustodyError: others may read the key (``custody.permissions``), or a file is absent.
    """
    from kobe_platform.custody.durable import check_private, storage_errors

    if told is None:
        return {}
    for file in (told.certificate, told.key):
        with storage_errors(file.name):
            file.read_bytes()
    check_private(told.key)
    return {"ssl_certfile": str(told.certificate), "ssl_keyfile": str(told.key)}


@asynccontextmanager
async def _nothing_to_start(app: Starlette):
    yield


def dagster_app(settings: Settings, workspace: Path, stack: ExitStack) -> Starlette:
    """Dagster's web application over an installation's instance; it lives as long as ``stack``."""
    import os

    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    from kobe_platform.privacy.instance import daemon_alive, open_instance
    from kobe_platform.web.dagster_gate import PREFIX

    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    instance = stack.enter_context(open_instance(settings))
    target = WorkspaceFileTarget([str(workspace)])
    context = stack.enter_context(WorkspaceProcessContext(instance, target))
    app = create_app_from_workspace_process_context(context, PREFIX, lifespan=_nothing_to_start)
    app.state.daemon_alive = partial(daemon_alive, instance)
    return app
