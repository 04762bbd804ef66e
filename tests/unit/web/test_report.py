"""The audit report: what the records say, by days, and on paper."""

from __future__ import annotations

import json
from datetime import timedelta

from kobe_platform.contracts import load_contracts
from kobe_platform.governance.passwords import set_password
from kobe_platform.governance.people import add_person, remove_person, sign_out
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.report import audit_report
from kobe_platform.web.templates import standalone
from tests.unit.web.conftest import ORIGIN, visitor


def rows(report, title):
    return next(section.rows for section in report.sections if section.title == title)


def test_the_report_tells_deliveries_keys_releases_and_refusals(app):
    settings, database = app.state.portal.settings, app.state.portal.database
    folder = settings.receipts / "28100/resident_register/2026-10"
    folder.mkdir(parents=True)
    told = {"source": "resident_register", "month": "2026-10", "status": "rejected", "sequence": 1}
    told |= {"content_hash": "1" * 64, "at": f"{today()}T00:30:00+00:00"}
    told["error"] = {"code": "file.hash", "ja": "ハッシュ値が違います", "at": {"file": "a.csv", "rule": "file.hash"}}
    (folder / "111111111111.rejected.json").write_text(json.dumps(told))
    (folder / "222222222222.accepted.json").touch()  # as a power cut can leave one
    other = settings.receipts / "28100/former_system/2026-10"
    other.mkdir(parents=True)
    without_contract = {**told, "source": "former_system", "content_hash": "3" * 64}
    (other / "333333333333.rejected.json").write_text(json.dumps(without_contract))
    settings.key_log.parent.mkdir(parents=True)
    entry = {"time": f"{today()}T00:30:00+00:00", "principal": "platform", "action": "unwrap", "purpose": "lake"}
    settings.key_log.write_text((json.dumps(entry) + "\n") * 3)
    visitor(app, "clerk").get("/audit-report")
    visitor(app).post("/sign-in", data={"login": "clerk", "password": "x"}, headers={"origin": ORIGIN})
    report = audit_report(settings, database, today() - timedelta(days=1), today())
    why = "ハッシュ値が違います（ファイル a.csv） [file.hash]"
    assert rows(report, "提供データの受入れ") == (
        ("former_system", "2026-10", "却下", "", why),
        (load_contracts(settings.contracts)["resident_register"].title, "2026-10", "却下", "", why),
    )
    assert rows(report, "鍵の使用") == (("platform", "unwrap", "lake", 3),)
    assert [row[0] for row in rows(report, "公開")] == ["0001-0123456789ab"]
    assert {("clerk", "access", "/audit-report", 1), ("clerk", "sign_in.password", "", 1)} <= set(
        rows(report, "拒否したもの")
    )
    held = rows(report, "データの法的根拠")
    assert {row[0] for row in held} == {c.title for c in load_contracts(settings.contracts).values()}
    assert all(row[3].endswith("か月") and row[4] and row[5] == "有効" for row in held if row[2])
    before = audit_report(settings, database, *[today() - timedelta(days=9)] * 2).sections
    assert not any(section.rows for section in before if section.title != "データの法的根拠")
    paper = standalone("audit_report_paper.html", report=report)
    assert '<td class="short">2026-10</td>' in paper, "a month does not break over lines"
    assert why in paper and "http" not in paper.replace("https://", "")
    assert json.loads(json.dumps(report.as_record()))["sections"]


def test_the_report_tells_every_change_of_an_account(app):
    settings, database = app.state.portal.settings, app.state.portal.database
    add_person(database, "mori", "森", "政策課", by="admin")
    set_password(database, "mori", "sea-and-mountains-7", by="admin")
    sign_out(database, "mori", by="admin")
    remove_person(database, "mori", by="admin")
    report = audit_report(settings, database, today(), today())
    told = [row[1:] for row in rows(report, "実行・利用者の変更") if row[3] == "mori"]
    assert told == [
        ("admin", word, "mori")
        for word in ("利用者の登録", "パスワードの設定", "サインアウトの強制", "利用者の登録の取消し")
    ]
