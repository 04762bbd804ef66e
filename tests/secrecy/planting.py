"""Plant canaries in a delivered register or in records of training, and make the manifest true again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

from tests.secrecy.canaries import PLANTED

HEADERS = {
    "atena_no": "宛名番号",
    "household_no": "世帯番号",
    "my_number": "個人番号",
    "resident_code": "住民票コード",
    "residence_card_no": "在留カード等番号",
    "name": "氏名",
    "kana": "フリガナ",
    "maiden_name": "旧氏",
    "alias": "通称",
    "domicile": "本籍",
    "domicile_head": "筆頭者",
    "annex": "方書",
    "phone": "電話番号",
    "account": "口座番号",
    "notes": "備考",
    "lot": "番地",
}
BIRTH_DATE = "生年月日"
PLANTED_BIRTH = {"birth_date": "2140907", "birth_date_iso": "1925-09-07", "birth_date_plain": "19250907"}
"""Taishō 14.9.7, as the extract has it and as a careless step would write it."""

PLANTED_STAFF = {"staff_no": ("職員番号", "99077553"), "staff_name": ("氏名", "隠岐沼　鳴門衛門")}
"""Needle → header and value of a planted member of staff."""

NEEDLES = {**PLANTED, **PLANTED_BIRTH, **{name: value for name, (_, value) in PLANTED_STAFF.items()}}


def plant(delivery: Path) -> None:
    """Give the first Japanese resident of a register delivery (CP932, delimited) the planted identity."""
    path = delivery / "resident_register.csv"
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("cp932"), newline="")))
    place = {header: index for index, header in enumerate(rows[0])}
    row = next(row for row in rows[1:] if row[place["住民種別"]] == "1" and row[place["住民状態"]] == "1")
    for column, value in PLANTED.items():
        row[place[HEADERS[column]]] = value
    row[place[BIRTH_DATE]] = PLANTED_BIRTH["birth_date"]
    row[place["生年月日不詳区分"]] = "0"
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    path.write_bytes(text.getvalue().encode("cp932"))
    restate(delivery)


def plant_staff(delivery: Path) -> None:
    """Give the first completed course of a delivery of training records (UTF-8) to the planted member of staff."""
    path = delivery / "training_records.csv"
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    row = next(row for row in rows[1:] if row[rows[0].index("修了区分")] == "1")
    for header, value in PLANTED_STAFF.values():
        row[rows[0].index(header)] = value
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    path.write_bytes(text.getvalue().encode())
    restate(delivery)


def restate(delivery: Path) -> None:
    """Make the manifest's hash and size those of the file as it now lies there."""
    manifest_path = delivery / "manifest.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    for entry in manifest["files"]:
        data = (delivery / entry["name"]).read_bytes()
        entry["sha256"], entry["bytes"] = hashlib.sha256(data).hexdigest(), len(data)
    manifest_path.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
