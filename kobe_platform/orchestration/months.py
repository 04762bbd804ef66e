"""Gives the month of a run; every step of a month needs exactly one, and an error says what to do without."""

from __future__ import annotations

import dagster as dg

from kobe_platform.errors import PlatformError
from kobe_platform.privacy.border import border


def the_month(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> str:
    """The run's one partition, ``YYYY-MM``.

    Raises:
        Told: ``run.month``: the run has none, as "Execute all" of an asset's checks starts it, or a range of them.
    """
    with border():
        if not context.has_partition_key:
            raise PlatformError(
                "the run has no month, or several of them",
                code="run.month",
                remedy="materialize the asset for one month (its checks follow), or open that month's run, select the "
                "check's step and re-execute it",
                ja="対象月が1つに決まっていません。資産の画面の Materialize で月を選ぶと、検査も行われます。検査だけを"
                "やり直すときは、その月の実行を開き、検査のステップを選んで再実行(Re-execute selected)してください",
            )
        return context.partition_key
