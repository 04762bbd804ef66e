"""The audit report: what the records say, by days, and on paper."""

from __future__ import annotations

import json
from datetime import timedelta

from kobe_platform.contracts import load_contracts
from kobe_platform.governance.passwords import set_password
from kobe_platform.governance.people import add_person, remove_person, sign_out
from kobe_platform.governance.trail import REFUSED, note
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.report import audit_report
from kobe_platform.web.templates import standalone
from tests.unit.web.conftest import ORIGIN, post, visitor


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
    assert {
        ("clerkさん（clerk）", "access", "/audit-report", 1),
        ("clerkさん（clerk）", "sign_in.password", "", 1),
    } <= set(rows(report, "拒否したもの"))
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
    told = [row[1:] for row in rows(report, "実行・利用者の変更") if row[3] == "森（mori）"]
    assert told == [
        ("admin", word, "森（mori）")
        for word in ("利用者の登録", "パスワードの設定", "サインアウトの強制", "利用者の登録の取消し")
    ]


def test_the_screen_tells_counts_and_one_section_by_pages(app):
    database = app.state.portal.database
    for number in range(120):
        note(database, "clerk", "access", f"/place-{number:03}", outcome=REFUSED)
    browser = visitor(app, "auditor")
    overview = browser.get("/audit-report").text
    assert '拒否したもの</a><span class="note">120件</span>' in overview and "/place-000" not in overview
    first = browser.get("/audit-report?section=refusals").text
    assert first.count("/place-") == 50 and "（1/3ページ）" in first and "clerkさん（clerk）" in first
    last = browser.get("/audit-report?section=refusals&page=99").text
    assert last.count("/place-") == 20 and "前の50件" in last and "次の50件" not in last
    narrowed = browser.get("/audit-report", params={"section": "refusals", "q": "ＰＬＡＣＥ-007 clerk"}).text
    assert narrowed.count("/place-007") == 1 and narrowed.count("<tr>") == 2
    assert "/place-" not in browser.get("/audit-report?section=refusals&from=2020-01-01&to=2020-01-02").text
    assert browser.get("/audit-report?section=nothing").status_code == 200


def test_a_section_comes_as_a_file_whose_texts_no_spreadsheet_computes(app):
    note(app.state.portal.database, "clerk", "access", "=1+1", outcome=REFUSED)
    note(app.state.portal.database, "clerk", "access", "/else", outcome=REFUSED)
    browser = visitor(app, "auditor")
    answer = browser.get("/audit-report.csv", params={"section": "refusals", "q": "=1"})
    assert f"audit_refusals_{today() - timedelta(days=30)}_{today()}.csv" in answer.headers["content-disposition"]
    assert answer.text.splitlines() == ["\ufeff利用者,操作,対象,回数", "clerkさん（clerk）,access,'=1+1,1"]
    assert browser.get("/audit-report.csv").status_code == 404


def test_an_application_tells_names_and_no_logins(app):
    draft = {"title": "人口の分析", "purpose": "計画", "audience": "staff", "sources": "resident_register"}
    draft |= {"first": f"{today()}", "last": f"{today()}", "pages": "ward_population"}
    browser = visitor(app, "clerk")
    place = post(app, browser, "/applications", draft).headers["location"]
    told = browser.get(place).text
    assert "市民課 clerkさん" in told and "市民課 clerk<" not in told
    assert "市民課 clerkさん" in browser.get(f"{place}/print").text
