"""A home of any municipality: the definition files name none, and say what they say for each of the list."""

import os
import re
import subprocess
import sys

import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.vocabulary import municipality as places
from kobe_platform.vocabulary.municipality import localized, municipalities, municipality, own

WITHOUT_WARDS, TOWN, KOBE = "28203", "28365", "28100"
FACTS_OF_OTHERS = re.compile(r"kobe = '\^28100\$'|28100 = \"神戸市\"|kobe = \"神戸市\"|神戸市が公開している2010年")
"""Where a file speaks of Kobe as of one city among others, whoever reads it."""
DEFINITIONS = sorted(
    path
    for folder in ("assets", "dashboards/pages", "dashboards/manuals")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in {".sql", ".toml", ".md", ".py"} and path.name != "parameters.toml"
)


@pytest.fixture
def of(monkeypatch):
    """Makes this process one of another municipality's, as far as texts go."""
    return lambda code: monkeypatch.setenv(places.VARIABLE, code)


def test_the_list_has_the_prefecture_and_the_citys_wards():
    assert len(municipalities("28")) == 41 == len(set(municipalities("28")))
    kobe = municipality(KOBE)
    assert len(kobe.wards) == 9 and len(kobe.neighbours) == 40 and KOBE not in kobe.neighbours
    assert set(kobe.wards) & set(kobe.neighbours) == set()
    akashi = municipality(WITHOUT_WARDS)
    assert (akashi.name, akashi.wards, dict(akashi.areas)) == ("明石市", {}, {WITHOUT_WARDS: "明石市"})
    assert akashi.neighbours[KOBE] == "神戸市" and akashi.prefecture == "28"


@pytest.mark.parametrize("code", ["28101", "28999", "28", "kobe"])
def test_what_is_no_municipality_of_the_list_is_refused(of, code):
    of(code)
    with pytest.raises(ConfigurationError) as caught:
        own()
    assert caught.value.code == "vocabulary.municipality"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (KOBE, "28100 神戸市 28 区 2 a\nb\n -"),
        (WITHOUT_WARDS, "28203 明石市 28 市 1 \n\n c-"),
        (TOWN, "28365 多可町 28 町 1 \n\n c-"),
    ],
)
def test_a_file_says_what_it_says_of_the_municipality_and_no_line_moves(of, code, told):
    of(code)
    text = (
        "{{municipality}} {{municipality.name}} {{prefecture}} {{area}} {{district.level}} "
        "{{#wards}}a\nb\n{{/wards}} {{^wards}}c{{/wards}}-"
    )
    assert localized(text) == told and localized(text).count("\n") == text.count("\n")


def test_settings_of_one_municipality_are_not_read_in_a_process_of_another(of):
    with pytest.raises(ValueError, match="one municipality"):
        Settings(municipality=WITHOUT_WARDS)
    of(WITHOUT_WARDS)
    assert Settings().municipality == WITHOUT_WARDS


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_definition_file_names_a_municipality_of_its_own(path):
    names = "|".join([KOBE, *municipality(KOBE).wards, "神戸市"])
    text = FACTS_OF_OTHERS.sub("", path.read_text("utf-8"))
    assert not re.findall(names, text)


LOADED = """
from kobe_platform.contracts import load_contracts
from kobe_platform.lounge.pages import load_pages
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.vocabulary import codes
settings = Settings()
load_contracts(settings.contracts)
tables = load_published(settings.statistics, settings.forecast_files, unusual=settings.watch_files)
pages = load_pages(settings.dashboards)
print(len(tables), len(pages), codes.wards(), "kobe" in codes.codes_of("hyogo"), len(codes.neighbours()))
"""


@pytest.mark.parametrize("code", [WITHOUT_WARDS, TOWN])
def test_every_definition_holds_for_a_municipality_without_wards(code):
    """Contracts, statistics, forecasts, watched series and pages: the same ones, loaded and tried."""
    from kobe_platform.lounge.pages import load_pages
    from kobe_platform.published import load_published

    settings = Settings()
    here = len(load_published(settings.statistics, settings.forecast_files, unusual=settings.watch_files))
    environment = {**os.environ, places.VARIABLE: code}
    told = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, timeout=180)
    assert told.returncode == 0, told.stderr[-600:]
    assert told.stdout.strip() == f"{here} {len(load_pages(settings.dashboards))} ('{code}',) True 40"
