"""Looking closer in real Chromium: the flows of one area, the districts of a ward in place, and the way back."""

from __future__ import annotations


def figure(page, title: str):
    return page.locator("figure", has=page.locator("figcaption", has_text=title)).first


FAINT = "f => [...f.querySelectorAll('svg path')].filter((p) => p.getAttribute('fill-opacity') === '0.06').length"


def test_the_largest_flows_are_drawn_and_those_of_one_area_stand_out(visit):
    page = visit.open("ward_moves.html")
    flows = figure(page, "区から区への流れ")
    flows.scroll_into_view_if_needed()
    flows.locator("svg path").first.wait_for(state="attached")
    assert "大きい順に20本を描いています。" in "".join(flows.locator("svg text").all_text_contents())
    assert flows.evaluate(FAINT) == 0
    flows.get_by_role("button", name="西区").press("Enter")
    page.wait_for_function(f"f => ({FAINT})(f) > 0", arg=flows.element_handle())
    assert ".of=" in page.url
    assert visit.violations() == [] and visit.faults == []
    page.go_back()
    page.wait_for_function(f"f => ({FAINT})(f) === 0", arg=flows.element_handle())
