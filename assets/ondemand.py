"""Defines the job by which an analyst asks a question: it is answered in the platform, as that person."""

import dagster as dg
from pydantic import Field

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.people import active_person
from kobe_platform.ondemand import Menu
from kobe_platform.ondemand.asking import Desk
from kobe_platform.privacy.border import border
from kobe_platform.privacy.metadata import allowed
from kobe_platform.statistics import Statistic
from resources import Governance, Lake, Releases

JOB = "on_demand_statistics"
LAUNCHED_BY = "kobe/launched_by"


class QuestionConfig(dg.Config):
    """What is asked: entries of ``assets/ondemand.toml`` and codes of their hierarchies.

    Attributes:
        filters: dimension → codes that are shown.
        application: number of the データ利用申請書 under which it is asked.
    """

    month: str = Field(description="対象月(YYYY-MM)")
    measure: str = Field(description="指標の名前(assets/ondemand.toml)")
    dimensions: list[str] = Field(description="区分の名前(assets/ondemand.toml)")
    filters: dict[str, list[str]] = Field(default_factory=dict, description="区分ごとに、表示するコード")
    application: str = Field("", description="データ利用申請書の番号")


def on_demand_job(menu: Menu, statistics: dict[str, Statistic], window: int) -> dg.JobDefinition:
    """The job; who asks is the run's tag, which the portal's gate sets, and never part of the question."""

    @dg.op(name="answer_question", description="オンデマンド集計:秘匿と監査を通した表だけを返す", pool="protection")
    def answer_question(
        context: dg.OpExecutionContext, config: QuestionConfig, lake: Lake, releases: Releases, governance: Governance
    ) -> None:
        with border(job=JOB):
            login = context.run.tags.get(LAUNCHED_BY, "")
            if not login:
                raise GovernanceError(
                    "a question has somebody who asks it: launch it through the portal",
                    code="ondemand.nobody",
                    remedy="open Dagster through `kobe serve`, or use `kobe ask --by LOGIN`",
                    ja="ポータルにサインインして実行してください",
                )
            desk = Desk(lake.store, statistics, menu, governance.database, releases.basis, window)
            asked = config.model_dump()
            application = asked.pop("application")
            question, given = desk.ask(active_person(governance.database, login), asked, application)
            counts = {name: given.facts[name] for name in ("rows", "suppressed", "minimum_frequency", "audit_safe")}
            told = {"answer": question.statistic.name, "month": question.month, **counts, "kept": given.kept}
            context.log.info(f"{question.statistic.name} {question.month}")
            context.add_output_metadata(allowed(told))

    @dg.job(name=JOB, description="分析者が選んだ区分の集計。結果はポータルの「オンデマンド集計」で受け取る。")
    def on_demand_statistics() -> None:
        answer_question()

    return on_demand_statistics
