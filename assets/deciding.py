"""Defines the job by which an operator decides on a delivery in the Dagster UI: approve, refuse or withdraw."""

from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from assets.ondemand import LAUNCHED_BY
from kobe_platform.governance.trail import note
from kobe_platform.privacy.border import border
from kobe_platform.privacy.metadata import allowed
from kobe_platform.reception.decisions import decide
from resources import Governance, Inbox, Lake

JOB = "decide_delivery"


class DecisionConfig(dg.Config):
    """Which delivery, and what is decided of it."""

    source: str = Field(description="データの名前(resident_register など)")
    month: str = Field(description="月(YYYY-MM)")
    decision: Literal["approve", "refuse", "withdraw"] = Field(description="承認 approve、却下 refuse、撤回 withdraw")
    content: str = Field("", description="見た内容の識別(始めの12桁)。別の内容が届いていれば決定しない")


def deciding_job() -> dg.JobDefinition:
    """The job; who decides is the run's tag, which the portal's gate sets, else who runs the platform."""

    @dg.op(name="record_decision", description="保留の提供データを承認・却下する。または提供元の撤回を記録する")
    def record_decision(
        context: dg.OpExecutionContext, config: DecisionConfig, inbox: Inbox, lake: Lake, governance: Governance
    ) -> None:
        with border(job=JOB, source=config.source, month=config.month):
            delivery = inbox.present(config.source, config.month)
            who = context.run.tags.get(LAUNCHED_BY, "") or lake.principal
            decide(Path(inbox.home), delivery, config.decision, who, content=config.content)
            told = {"content": delivery.content_hash[:12]}
            note(governance.database, who, f"delivery.{config.decision}", delivery.name, detail=told)
            context.add_output_metadata(allowed({"source": config.source, "month": config.month, **told}))

    @dg.job(name=JOB, description="保留の提供データの承認・却下、提供元による撤回の記録。実行者の名前が残る。")
    def decide_delivery() -> None:
        record_decision()

    return decide_delivery
