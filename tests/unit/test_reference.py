"""The reference of the documentation lists the keys of the models as they are."""

import pytest
from mkdocs.exceptions import Abort
from pydantic import BaseModel, Field

from kobe_platform.cli import reference
from kobe_platform.lounge.pages import FrontMatter
from kobe_platform.statistics.definition import Statistic


class Older(BaseModel):
    """A model.

    Attributes:
        first, second: one of
            two lines.
    """

    first: int
    second: str = "a|b"


class Newer(Older):
    """A model with one key more."""

    third: int | None = Field(None, alias="class", description="added")


def test_a_key_that_a_model_gains_is_listed_under_the_name_that_files_use():
    older, newer = reference.page("Older", (Older,)), reference.page("Newer", (Newer,))
    assert "`class`" not in older
    assert "| `first` | `int` | yes |  | one of two lines. |" in newer
    assert "| `second` | `str` | no | `'a|b'` | one of two lines. |" in newer
    assert "| `class` | `int | None` | no | `None` | added |" in newer


@pytest.mark.parametrize("model", [FrontMatter, Statistic])
def test_each_key_that_an_author_of_statistics_and_pages_writes_is_described(model):
    assert [row[0] for row in reference.rows(model) if not row[4]] == []


def test_each_key_of_each_model_stands_in_the_staged_reference(tmp_path):
    reference.stage(tmp_path)
    for name, (_, modules) in reference.PAGES.items():
        text = (tmp_path / "reference" / f"{name}.md").read_text("utf-8")
        for model in (each for module in modules for each in reference.models(module)):
            part = text.partition(f"## {model.__name__}\n")[2].partition("\n## ")[0]
            for key, field in model.model_fields.items():
                assert f"| `{field.alias or key}` |" in part, (model.__name__, key)


def test_the_site_builds_and_a_broken_link_ends_the_build(tmp_path, monkeypatch):
    reference.main(tmp_path)
    assert "FrontMatter" in (tmp_path / "site" / "reference" / "page.html").read_text("utf-8")
    assert "<code>date | None</code>" in (tmp_path / "site" / "reference" / "page.html").read_text("utf-8")
    monkeypatch.setattr(reference, "page", lambda title, of: "[lost](nowhere.md)")
    with pytest.raises(Abort):
        reference.main(tmp_path)
