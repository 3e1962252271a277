from html.parser import HTMLParser

import pytest

from exoclassify.report.html import Figure, Section, Table, page
from exoclassify.report.plots import Axis, Bar, Series, curves, intervals

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Checked(HTMLParser):
    """Demands that every element is closed in order, and keeps what a reader or a browser would follow."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "src", "action"):
                self.targets.append(str(value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Checked:
    parser = Checked()
    parser.feed(text)
    assert not parser.open
    return parser


def roc() -> Figure:
    line = Series("model", [0.0, 0.2, 1.0], [0.0, 0.8, 1.0], [0.0, 0.6, 1.0], [0.0, 0.9, 1.0])
    chance = Series("chance", [0, 1], [0, 1], reference=True)
    return curves("ROC curve", [line, chance], Axis("1 − specificity"), Axis("sensitivity"))


def test_a_page_is_well_formed_and_loads_nothing() -> None:
    text = page("Report", [Section("What was found", "Good.\n\nMostly.", figures=[roc()])], subtitle="x")
    found = read(text)
    assert all(target.startswith("#") for target in found.targets)
    assert "script" not in found.tags
    assert "url(" not in text
    assert "@import" not in text


def test_every_link_of_the_contents_leads_somewhere_even_with_equal_titles() -> None:
    found = read(page("Report", [Section("Audit", "a"), Section("Audit", "b"), Section("…", "c")]))
    assert len(set(found.ids)) == len(found.ids)
    assert {target[1:] for target in found.targets} <= set(found.ids)


def test_text_is_text_and_never_markup() -> None:
    hostile = "<script>alert('x')</script>&\"'"
    figure = curves(hostile, [Series(hostile, [0, 1], [0, 1])], Axis(hostile), Axis(hostile), hostile)
    table = Table([hostile], [[hostile]], hostile)
    text = page(hostile, [Section(hostile, hostile, [figure], [table], [hostile])], footer=hostile)
    assert "script" not in read(text).tags
    assert "<script" not in text


def test_every_figure_has_its_numbers_beside_it() -> None:
    text = page("Report", [Section("ROC", "…", figures=[roc()])])
    found = read(text)
    assert found.tags.count("svg") == found.tags.count("details") == 1
    assert '<td class="number" data-label="sensitivity">0.800</td>' in text
    assert roc().table.rows[1] == ("model", 0.2, 0.8, 0.6, 0.9)


def test_cells_say_yes_no_and_nothing_in_words() -> None:
    text = page("Report", [Section("T", "…", tables=[Table(["a"], [[True], [None], [3], [0.12345]])])])
    for cell in (
        ">yes</td>",
        ">–</td>",
        'class="number" data-label="a">3</td>',
        'class="number" data-label="a">0.123</td>',
    ):
        assert cell in text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.4, 1, [0.4, 0.6, 0.8, 1]), (-0.1, 0.3, [-0.1, 0, 0.1, 0.2, 0.3])],
)
def test_ticks_are_round_and_within_the_axis(low: float, high: float, expected: list[float]) -> None:
    assert Axis("x", low, high).ticks() == pytest.approx(expected)


def test_values_beyond_an_axis_are_drawn_at_its_end() -> None:
    figure = intervals("AUC", [Bar("model", 0.9, -3.0, 7.0)], Axis("AUC"), reference=0.5)
    assert 'x1="205.0"' in figure.svg
    assert 'x2="426.0"' in figure.svg
    assert figure.table.rows == [("model", 0.9, -3.0, 7.0)]
