"""Numbers and bullets of Word documents: the text holds what Word would draw in front of each paragraph."""

import io
from collections.abc import Mapping, Sequence

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents import open_document
from tests.documents.small_markup import zipped

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OUTLINE = {0: ("decimal", "%1"), 1: ("decimal", "%1.%2"), 2: ("lowerLetter", "(%3)")}


def lines(
    paragraphs: Sequence[str], *, numbering: str = "", styles: str = "", more: Mapping[str, str] = {}
) -> list[str]:
    """The lines of a document whose paragraphs, lists and styles are given as XML."""
    body = f"<w:document {WORD}><w:body>{''.join(paragraphs)}</w:body></w:document>"
    members = {
        "[Content_Types].xml": "<x/>",
        "word/document.xml": body,
        "word/numbering.xml": f"<w:numbering {WORD}>{numbering}</w:numbering>",
        "word/styles.xml": f"<w:styles {WORD}>{styles}</w:styles>",
        **more,
    }
    with open_document("-", stdin=io.BytesIO(zipped(members))) as document:
        return "".join(piece.text for piece in document.pieces()).splitlines()


def p(text: str, level: int | None = None, *, number: int | None = 1, style: str = "", inside: str = "") -> str:
    """A paragraph; on a level of list 1 unless told otherwise."""
    listed = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>' if level is not None else ""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f'<w:p><w:pPr>{named}{listed}{inside}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def abstract(levels: Mapping[int, tuple[str, str]], *, name: int = 0, inside: Mapping[int, str] = {}) -> str:
    """A list by the form and text of its levels, and what else they say."""
    written = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>{inside.get(level, "")}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for level, (form, text) in levels.items()
    )
    return f'<w:abstractNum w:abstractNumId="{name}">{written}</w:abstractNum>'


def num(name: int = 1, of: int = 0, inside: str = "") -> str:
    return f'<w:num w:numId="{name}"><w:abstractNumId w:val="{of}"/>{inside}</w:num>'


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_levels_count_within_the_level_above(levels: list[int]) -> None:
    forms = {level: ("decimal", ".".join(f"%{i + 1}" for i in range(level + 1))) for level in range(4)}
    shown = lines([p("x", level) for level in levels], numbering=abstract(forms) + num())
    path: list[int] = []
    expected = []
    for level in levels:
        path += [0] * (level + 1 - len(path))  # a level above that no paragraph had is drawn as its first number
        path[level:] = [path[level] + 1]
        expected.append(".".join(str(max(1, number)) for number in path) + " x")
    assert shown == expected


def test_headings_are_numbered_through_their_styles() -> None:
    style = '<w:style w:type="paragraph" w:styleId="{}"><w:basedOn w:val="{}"/><w:pPr>{}</w:pPr></w:style>'
    listed = '<w:numPr><w:numId w:val="{}"/></w:numPr>'
    styles = "".join(
        style.format(*values)
        for values in (
            ("Normal", "", ""),
            ("H1", "Normal", listed.format(1)),
            ("H2", "H1", ""),
            ("Mine", "H2", ""),
            ("Plain", "H1", listed.format(0)),
        )
    )
    linked = {0: '<w:pStyle w:val="H1"/>', 1: '<w:pStyle w:val="H2"/>'}
    shown = lines(
        [
            p("Parties", style="H1"),
            p("Term", style="H1"),
            p("Price", style="H1"),
            p("Sum", style="H2"),
            p("Body."),
            p("Payment", style="Mine"),
            p("Unnumbered", style="Plain"),
            p("Away", 0, number=0, style="H1"),
            p("General", style="H1"),
            p("Law", style="H2"),
        ],
        numbering=abstract(OUTLINE, inside=linked) + num(),
        styles=styles,
    )
    assert shown == [
        *("1 Parties", "2 Term", "3 Price", "3.1 Sum", "Body.", "3.2 Payment", "Unnumbered", "Away"),
        *("4 General", "4.1 Law"),
    ]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("lowerRoman", "(%1)", ["(i)", "(ii)", "(iii)", "(iv)"]),
        ("upperRoman", "%1.", ["I.", "II.", "III.", "IV."]),
        ("upperLetter", "%1)", ["A)", "B)", "C)", "D)"]),
        ("decimalZero", "%1", ["01", "02", "03", "04"]),
        ("ordinal", "%1", ["1st", "2nd", "3rd", "4th"]),
        ("bullet", "\uf0b7", ["-"] * 4),
        ("decimal", "Article %1:", [f"Article {i}:" for i in range(1, 5)]),
        ("decimal", "§ %1", [f"§ {i}" for i in range(1, 5)]),
        ("japaneseCounting", "第%1条", ["第一条", "第二条", "第三条", "第四条"]),
        ("unheardOf", "%1", ["1", "2", "3", "4"]),
    ],
)
def test_forms_of_numbers(form: str, text: str, expected: list[str]) -> None:
    shown = lines([p("x", 0)] * 4, numbering=abstract({0: (form, text)}) + num())
    assert shown == [f"{label} x" for label in expected]


def test_letters_go_on_behind_z_and_numbers_beyond_any_alphabet() -> None:
    numbering = abstract({0: ("lowerLetter", "%1"), 1: ("upperRoman", "%2")})
    start = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="{}"/></w:lvlOverride>'
    shown = lines([p("x", 0, number=1)] * 2, numbering=numbering + num(inside=start.format(26)))
    assert shown == ["z x", "aa x"]
    numbering = abstract({0: ("upperRoman", "%1")})
    assert lines([p("x", 0)], numbering=numbering + num(inside=start.format(1999))) == ["MCMXCIX x"]
    assert lines([p("x", 0)], numbering=numbering + num(inside=start.format("9" * 8)))[0].startswith("MMMM")


def test_none_and_hidden_numbers_show_nothing() -> None:
    for level in (("none", ""), ("none", "%1")):
        assert lines([p("x", 0)], numbering=abstract({0: level}) + num()) == ["x"]
    hidden = {0: "<w:rPr><w:vanish/></w:rPr>"}
    assert lines([p("x", 0)], numbering=abstract({0: ("decimal", "%1")}, inside=hidden) + num()) == ["x"]
    glued = {0: '<w:suff w:val="nothing"/>'}
    assert lines([p("x", 0)], numbering=abstract({0: ("decimal", "%1:")}, inside=glued) + num()) == ["1:x"]


def test_two_lists_of_one_kind_count_on_unless_one_begins_anew() -> None:
    anew = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'
    numbering = abstract(OUTLINE) + num(1) + num(2) + num(3, inside=anew)
    shown = lines([p("x", 0, number=number) for number in (1, 2, 1, 3, 3, 1)], numbering=numbering)
    assert shown == ["1 x", "2 x", "3 x", "1 x", "2 x", "3 x"]


def test_a_level_may_go_on_where_the_one_above_changes_and_show_all_in_digits() -> None:
    levels = {0: ("upperRoman", "%1"), 1: ("decimal", "%1.%2")}
    inside = {1: '<w:lvlRestart w:val="0"/><w:isLgl/>'}
    shown = lines([p("x", level) for level in (0, 1, 0, 1)], numbering=abstract(levels, inside=inside) + num())
    assert shown == ["I x", "1.1 x", "II x", "2.2 x"]


def test_a_list_may_take_its_levels_from_a_style_for_lists() -> None:
    numbering = (
        abstract({0: ("upperLetter", "%1.")}, name=0)
        + '<w:abstractNum w:abstractNumId="1"><w:numStyleLink w:val="Mine"/></w:abstractNum>'
        + num(1, 0)
        + num(2, 1)
    )
    styles = (
        '<w:style w:type="numbering" w:styleId="Mine"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    )
    assert lines([p("x", 0, number=2)] * 2, numbering=numbering, styles=styles) == ["A. x", "B. x"]


def test_what_is_counted() -> None:
    numbering = abstract(OUTLINE) + num()
    gone = "<w:rPr><w:del/></w:rPr>"
    changed = '<w:pPrChange><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr></w:pPrChange>'
    cells = f"<w:tbl><w:tr><w:tc>{p('a', 0)}{p('b', 0)}</w:tc><w:tc>{p('c', 0)}</w:tc></w:tr></w:tbl>"
    shown = lines(
        [p("x", 0), p("", 0), p("y", 0, inside=changed), p("z", inside=changed), p("", 0, inside=gone), cells],
        numbering=numbering,
    )
    assert shown == ["1 x", "", "3 y", "z", "", "4 a 5 b\t6 c"]


def test_a_box_with_text_inside_a_paragraph_has_its_own_number() -> None:
    inner = f"<w:txbxContent>{p('inside', 0)}</w:txbxContent>"
    box = f"<w:p><w:pPr/><w:r><w:pict>{inner}</w:pict><w:t>outside</w:t></w:r></w:p>"
    assert lines([box, p("next", 0)], numbering=abstract(OUTLINE) + num()) == ["1 inside", "outside", "2 next"]


@pytest.mark.parametrize("broken", ["", "<a><b></a>", f'<w:numbering {WORD}><w:num w:numId="1"/></w:numbering>'])
def test_broken_lists_leave_the_text(broken: str) -> None:
    assert lines([p("x", 0)], more={"word/numbering.xml": broken}) == ["x"]
    ring = (
        '<w:style w:styleId="A"><w:basedOn w:val="B"/></w:style><w:style w:styleId="B"><w:basedOn w:val="A"/></w:style>'
    )
    assert lines([p("x", style="A")], styles=ring) == ["x"]


def test_lists_are_found_where_the_document_says_that_they_are() -> None:
    relations = '<Relationships><Relationship Type="http://x/numbering" Target="numbering2.xml"/></Relationships>'
    more = {
        "word/_rels/document.xml.rels": relations,
        "word/numbering2.xml": f"<w:numbering {WORD}>{abstract({0: ('bullet', 'o')})}{num()}</w:numbering>",
    }
    assert lines([p("x", 0)], numbering=abstract(OUTLINE) + num(), more=more) == ["- x"]


def test_what_word_itself_writes() -> None:
    document = docx.Document()
    for style in ("List Number", "List Number", "List Bullet", "Normal", "List Number"):
        document.add_paragraph("x", style=style)
    out = io.BytesIO()
    document.save(out)
    out.seek(0)
    with open_document("-", stdin=out) as opened:
        text = "".join(piece.text for piece in opened.pieces())
    assert text == "1. x\n2. x\n- x\nx\n3. x\n"
