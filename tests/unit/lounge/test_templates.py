"""A site has what its pages need of a theme: what the theme renders with, not what it brings along."""

from __future__ import annotations

from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.site import render


def rendered(dashboards, tmp_path, name):
    work = tmp_path / f"work_{name}"
    work.mkdir()
    (work / "index.md").write_text("# 入口\n", "utf-8")
    out = tmp_path / name
    render(dashboards, work, out, [load_pages(dashboards)["index"]], {}, synthetic=False)
    return out


def test_a_site_holds_pages_and_files_of_the_custom_folder_and_no_other_of_the_theme(dashboards, tmp_path):
    emblem = dashboards / "theme" / "overrides" / "img" / "emblem.svg"
    emblem.parent.mkdir()
    emblem.write_text("<svg/>", "utf-8")
    out = rendered(dashboards, tmp_path, "site")
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "img/emblem.svg",
        "index.html",
    ]


def test_a_template_that_was_changed_is_rendered_as_it_is_now(dashboards, tmp_path):
    first = rendered(dashboards, tmp_path, "first") / "index.html"
    template = dashboards / "theme" / "overrides" / "main.html"
    template.write_text(template.read_text("utf-8").replace("</footer>", "<p>改版</p></footer>"), "utf-8")
    second = rendered(dashboards, tmp_path, "second") / "index.html"
    assert "改版" not in first.read_text("utf-8") and "改版" in second.read_text("utf-8")
