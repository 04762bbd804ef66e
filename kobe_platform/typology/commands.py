"""The command ``kobe types``, which sorts districts into types for people to look at, and writes them as a delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def types(
    out: Annotated[Path | None, typer.Option(help="File for the public source district_types (CSV).")] = None,
    number: Annotated[
        int | None, typer.Option("--types", min=2, max=8, help="How many types, instead of the file's.")
    ] = None,
) -> None:
    """Types of school districts by their published profile, with their stability; nothing is published by this."""
    from kobe_platform.errors import ConfigurationError
    from kobe_platform.lounge.release import current
    from kobe_platform.settings import Settings
    from kobe_platform.typology.profiles import (
        as_delivery,
        load_typology,
        names_of_types,
        profiles,
        separation,
        types_of,
    )

    settings = Settings()
    typology = load_typology(settings.statistics.parent / "typology.toml")
    release = current(settings.releases)
    if release is None:
        raise ConfigurationError(
            "there is no release whose districts could be compared",
            code="typology.release",
            remedy="make a release first: kobe run",
            ja="公開された版がまだありません",
        )
    profile = profiles(typology, settings.releases / "current" / "tables")
    wanted = number or typology.types
    found = types_of(profile, wanted)
    typer.echo(f"{profile.month}: {len(profile.districts)} districts, {len(profile.hidden)} with a hidden figure (X)")
    for k, apart in separation(profile).items():
        typer.echo(f"  {k} types: silhouette {apart:.2f}{' <' if k == wanted else ''}")
    names = names_of_types()
    titles = [feature.title for feature in typology.features]
    for place, medoid in enumerate(found.medoids):
        members = found.member == place
        means = profile.shares[members].mean(axis=0)
        told = ", ".join(f"{title} {mean:.1f}%" for title, mean in zip(titles, means, strict=True))
        head = f"{place + 1} {names[str(place + 1)]}: {int(members.sum())} districts, stability"
        typer.echo(f"{head} {found.stability[place]:.2f}, most typical {profile.districts[medoid]}; {told}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(as_delivery(profile, found), encoding="utf-8", newline="")
        typer.echo(str(out))
