"""Refuses to store outputs of ops: data moves through the lake's encrypted partitions, never through Dagster."""

from __future__ import annotations

import dagster as dg

from kobe_platform.errors import PlatformError


class ObjectRefused(PlatformError):
    """Somebody returned an object from an asset, which Dagster would have pickled to disk in the clear."""


class RefusingIOManager(dg.IOManager):
    """Refuses every object in both directions; ``None`` (nothing returned) passes."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse any object.

        Raises:
            ObjectRefused: an asset returned something; the type is named, the object is not.
        """
        if obj is not None:
            raise _refused(context.step_key, type(obj).__name__)

    def load_input(self, context: dg.InputContext) -> object:
        """Refuse to load: an asset declares its upstream with ``deps`` and reads the lake.

        Raises:
            ObjectRefused: always.
        """
        raise _refused(context.asset_key.to_user_string() if context.has_asset_key else context.name, "input")


def _refused(step: str, kind: str) -> ObjectRefused:
    return ObjectRefused(
        "objects do not pass through Dagster",
        code="io.refused",
        at={"step": step, "type": kind},
        remedy="write a partition of the lake and return counts; name upstream assets in deps",
        ja="オブジェクトをDagsterに渡すことはできません。レイクの区画に書き、件数だけを返してください",
    )
