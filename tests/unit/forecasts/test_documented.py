"""The forecast that the document adds by one file runs: it loads, has a vintage, and is scored."""

import re
from pathlib import Path

import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionStore
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.tabulation.forecasting import make_vintage, score_month
from tests.forecast_city import CHILDREN, months_until, settle

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "forecasts.md"


@pytest.mark.slow
def test_the_documented_forecast_runs_by_its_file_alone(tmp_path):
    text = DOCUMENT.read_text("utf-8")
    name, written = re.search(r"```toml\n   # assets/forecasts/(\w+)\.toml\n(.*?)```", text, re.S).groups()
    (tmp_path / "forecasts").mkdir()
    (tmp_path / "forecasts" / f"{name}.toml").write_text(written, "utf-8")
    tables = load_published(Settings().statistics, tmp_path / "forecasts")
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    store = PartitionStore(tmp_path / "store", keys, municipality="28100")
    months = months_until("2025-09", tables[name].forecast.least_history + 12)
    settle(store, tables, months, [CHILDREN])
    for origin in ("2024-09", "2025-09"):
        rows = store.read(make_vintage(store, tables[name], origin, tables).id)
        assert {"forecast", "shown"} <= set(rows["figure"])
    scored = store.read(score_month(store, tables["forecast_scores"], "2025-09", tables).id)
    assert set(scored["forecast"]) == {name} and set(scored["horizon"]) == {"12"}
