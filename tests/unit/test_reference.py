"""The reference of the documentation lists the keys that authors write, each with what it means."""

import inspect
import logging
import re

import pytest
from mkdocs.exceptions import Abort
from pydantic import BaseModel, Field

from kobe_platform.cli import reference
from kobe_platform.contracts import columns, model, published
from kobe_platform.disclosure import spec, statements
from kobe_platform.disclosure.methods import choice
from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts import definition as forecasts
from kobe_platform.lounge import audiences, pages
from kobe_platform.ondemand import menu
from kobe_platform.settings import PROJECT
from kobe_platform.statistics import definition, relations
from kobe_platform.statistics.loading import load_statistics
from kobe_platform.statistics.relations import load_relations
from kobe_platform.unusual import definition as unusual
from kobe_platform.vocabulary import hierarchy_tables, rules

READ_BY = {
    "contract": (model, columns, published),
    "statistic": (definition,),
    "forecast": (forecasts,),
    "watch": (unusual,),
    "relations": (relations,),
    "page": (pages,),
    "specification": (spec, statements, choice),
    "menu": (menu,),
    "audiences": (audiences,),
    "hierarchies": (hierarchy_tables,),
    "rules": (rules,),
}
"""Page → the modules whose models read that kind of file."""
PYTHON = re.compile(r"\b(?:str|int|float|bool|tuple|dict|None|Literal|DataFrame)\b")


class Inner(BaseModel):
    """A table in a table.

    Attributes:
        deep: in it.
    """

    deep: bool = False


class Older(BaseModel):
    """A model.

    Attributes:
        first, second: one of
            two lines, see :class:`Inner`.
        inner: ``tables`` below.
    """

    first: int
    second: str = "a|b"
    inner: tuple[Inner, ...] = ()


class Newer(Older):
    """A model with one key more."""

    third: int | None = Field(None, alias="class", description="added")


def text_of(root: type[BaseModel]) -> str:
    return reference.page("A file", reference.within(root, "Top"))


def models_of(name: str) -> list[type[BaseModel]]:
    return [
        each
        for module in READ_BY[name]
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, BaseModel) and each.__module__ == module.__name__
    ]


def test_a_key_that_a_model_gains_is_listed_under_the_name_that_files_use():
    older, newer = text_of(Older), text_of(Newer)
    assert "`class`" not in older
    assert "| `first` | whole number | yes |  | one of two lines, see `Inner`. |" in newer
    assert '| `second` | text | no | `"a\\|b"` | one of two lines, see `Inner`. |' in newer
    assert "| `class` | whole number | no |  | added |" in newer
    assert "## `[[inner]]`" in newer and "| `deep` | true or false | no | `false` | in it. |" in newer


@pytest.mark.parametrize("name", reference.PAGES)
def test_each_key_of_each_page_is_described(name):
    missing = [(one.heading, key.name) for one in reference.sections(name) for key in one.keys if not key.description]
    assert missing == []


def test_the_words_of_the_catalogue_that_a_page_may_name_stand_in_its_reference():
    keys = {key.name: key.description for key in reference.sections("page")[0].keys}
    assert all(word in keys["category"] for word in pages.CATEGORIES)
    assert all(word in keys["usage"] for word in pages.USAGES)


@pytest.mark.parametrize("name", reference.PAGES)
def test_each_key_says_in_a_file_s_words_what_may_stand_there(name):
    keys = [key for section in reference.sections(name) for key in section.keys]
    assert [key.name for key in keys if not key.kind] == []
    assert [key.name for key in keys if PYTHON.search(key.kind)] == []


@pytest.mark.parametrize("name", reference.PAGES)
def test_each_key_of_each_model_stands_on_its_page(name):
    listed = {key.name for section in reference.sections(name) for key in section.keys}
    written = {
        field.alias or key
        for each in models_of(name)
        for key, field in each.model_fields.items()
        if key not in reference.FILLED_IN.get(each, ())
    }
    assert written - listed == ({"kind"} if name == "relations" else set())
    assert not listed - written


@pytest.mark.parametrize("name", reference.PAGES)
def test_sections_are_named_as_the_file_has_them_and_not_by_class(name):
    text = reference.page(name, reference.sections(name))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings))
    classes = [each.__name__ for each in models_of(name)]
    assert [line for line in headings if set(line.replace("`", " ").split()) & set(classes) - {"Front"}] == []
    assert "kobe_platform" not in text and ":`" not in text.replace("::", "")


def test_the_columns_of_a_contract_stand_rule_by_rule_with_the_classes_that_may_have_it():
    text = reference.page("contract", reference.sections("contract"))
    part = text.partition('## `[[columns]]` with `rule = "pseudonym"`')[2].partition("\n## ")[0]
    assert "Classes that may have it: `L`." in part
    assert "| `with` | list: text | no | `[]` |" in part and "`header`" not in part


@pytest.mark.parametrize("key", ["name", "relations", "row_key", "sql"])
def test_a_key_that_the_loader_fills_in_is_not_listed_and_refused_in_a_file(tmp_path, key):
    keys = [each.name for each in reference.sections("statistic")[0].keys]
    assert "title" in keys and key not in keys
    text = (PROJECT / "assets" / "statistics" / "births_year.sql").read_text("utf-8")
    (tmp_path / "births_year.sql").write_text(text.replace("/*", f'/*\n{key} = "written"', 1), "utf-8")
    with pytest.raises(ConfigurationError, match="a key is given twice"):
        load_statistics(tmp_path)


def test_the_short_forms_that_are_listed_are_read():
    sections = reference.sections("specification")
    keys = {(section.heading, key.name): key.kind for section in sections for key in section.keys}
    assert keys["`[[tables]]`", "dimensions"] == "table: text or list: text"
    assert keys["`[[relations]]`", "left"] == keys["Top of the file", "previous"] == "tables or list: text"
    tables = [{"name": name, "dimensions": ["sex"]} for name in ("a", "b")]
    ties = [{"name": "tie", "left": ["a"], "right": ["b"]}]
    read = spec.Spec.model_validate({"tables": tables, "relations": ties, "previous": ["before"]})
    assert (read.tables[0].dimensions, read.relations[0].right[0].table) == ({"sex": "sex"}, "b")
    assert read.previous[0].directory == "before"


def test_the_kind_of_a_relation_is_its_table_and_refused_as_a_key(tmp_path):
    assert all(key.name != "kind" for section in reference.sections("relations") for key in section.keys)
    (tmp_path / "relations.toml").write_text('[[apart]]\nbecause = "b"\nsources = ["a", "b"]\n', "utf-8")
    assert len(load_relations(tmp_path)) == 1
    (tmp_path / "relations.toml").write_text(
        '[[apart]]\nkind = "apart"\nbecause = "b"\nsources = ["a", "b"]\n', "utf-8"
    )
    with pytest.raises(ConfigurationError):
        load_relations(tmp_path)


@pytest.mark.slow
def test_the_site_builds_and_a_broken_link_ends_the_build(tmp_path, monkeypatch):
    """Also in a process where MkDocs had been told to be quiet, as dashboards do: what is not logged is not counted."""
    logging.getLogger("mkdocs").setLevel(logging.ERROR)
    reference.main(tmp_path)
    built = (tmp_path / "site" / "reference" / "contract.html").read_text("utf-8")
    assert "<code>[layouts.table]</code>" in built and "<code>unknown_at_most</code>" in built
    monkeypatch.setattr(reference, "page", lambda title, of: "[lost](nowhere.md)")
    with pytest.raises(Abort):
        reference.main(tmp_path)
