"""Numbers and bullets that Word draws in front of paragraphs: they stand in no paragraph, only how to count them does.

A paragraph names a list and a level, itself or through its style; the list says how its levels are counted and drawn.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

N_LEVELS = 9
BULLET = "-"
_PLACE = re.compile(r"%([1-9])")
_MOST_CHAINED = 32  # styles that are based on one another; a ring of them has no end
_LARGEST = 32767  # as Word counts
_ROMAN = tuple(zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
                   "M CM D CD C XC L XL X IX V IV I".split(), strict=True))  # fmt: skip
_HAN_DIGITS = "〇一二三四五六七八九"


@dataclass(frozen=True)
class Level:
    """How one level of a list is counted and drawn.

    Attributes:
        start: its first number.
        form: of its numbers, as Word names it.
        text: what is drawn, with `%1` for the number of the first level.
        restart: it begins anew behind a paragraph of this level, counted from 1, or a higher one; 0 for never.
        gap: between what is drawn and the paragraph.
        style: that puts its paragraphs on this level.
        is_legal: whether the numbers of all levels are drawn in digits.
    """

    start: int = 1
    form: str = "decimal"
    text: str = ""
    restart: int = N_LEVELS
    gap: str = " "
    style: str = ""
    is_legal: bool = False


@dataclass(frozen=True)
class _List:
    """A list that paragraphs name: the one that it counts with, its levels, and those of them that it begins anew."""

    counted_as: str
    levels: dict[int, Level]
    anew: list[int]


@dataclass(frozen=True)
class _Style:
    """What a style says of lists; its own settings, without those of the style that it is based on."""

    based_on: str = ""
    number: str | None = None
    level: int | None = None


class Lists:
    """The lists of a document.

    Args:
        numbering: root of its part with lists, None without one.
        styles: root of its part with styles, None without one.
    """

    def __init__(self, numbering: "Element | None", styles: "Element | None") -> None:
        self._styles: dict[str, _Style] = {}
        self._usual = ""  # style of paragraphs that name none
        for node in _children(styles, "style"):
            name = _value(node, "styleId")
            self._styles[name] = _style(node)
            if _value(node, "type") == "paragraph" and _value(node, "default") in ("1", "true", "on"):
                self._usual = name
        self._lists = dict(self._read_lists(numbering))

    def _read_lists(self, numbering: "Element | None") -> "Iterator[tuple[str, _List]]":
        abstract = {_value(node, "abstractNumId"): node for node in _children(numbering, "abstractNum")}
        nodes = {_value(node, "numId"): node for node in _children(numbering, "num")}
        for number, node in nodes.items():
            counted_as, link = _child_value(node, "abstractNumId"), ""
            if counted_as in abstract:
                link = _child_value(abstract[counted_as], "numStyleLink")
            linked = nodes.get(self._styles.get(link, _Style()).number or "")
            if linked is not None:  # the levels are those of a style for lists
                counted_as = _child_value(linked, "abstractNumId")
            levels, anew = _levels(abstract.get(counted_as)), []
            for override in _children(node, "lvlOverride"):
                levels |= _levels(override)
                place, start = whole(_value(override, "ilvl")), whole(_child_value(override, "startOverride"))
                if place in levels and start is not None:
                    levels[place] = replace(levels[place], start=start)
                    anew.append(place)
            yield number, _List(counted_as, levels, anew)

    def place(self, style: str, number: str | None, level: int | None) -> "tuple[str, _List, int] | None":
        """The list of a paragraph by name, and its level from 0; None where it has none."""
        chain = list(self._chain(style or self._usual))
        styles = [self._styles[name] for name in chain]
        own = number
        if number is None:
            number = next((one.number for one in styles if one.number is not None), None)
        found = self._lists.get(number or "0")
        if found is None or number is None:
            return None
        if own is None:  # then the list says which level a style has
            of_style = {known.style: place for place, known in found.levels.items() if known.style}
            level = next((of_style[name] for name in chain if name in of_style), level)
        if level is None:
            level = next((one.level for one in styles if one.level is not None), 0)
        return (number, found, level) if level in found.levels else None

    def _chain(self, name: str) -> Iterator[str]:
        for _ in range(_MOST_CHAINED):
            if name not in self._styles:
                return
            yield name
            name = self._styles[name].based_on


class Counting:
    """Counts the paragraphs of one part of a document.

    Args:
        lists: of the document.
    """

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()

    def next(self, style: str, number: str | None, level: int | None) -> str:
        """What is drawn in front of the next paragraph, blank included; empty where nothing is.

        Args:
            style: of the paragraph, empty for the usual one.
            number: of the list that it names itself.
            level: that it names itself, from 0.
        """
        if (placed := self._lists.place(style, number, level)) is None:
            return ""
        name, found, place = placed
        counts = self._counts.setdefault(found.counted_as, {})
        if name not in self._begun:
            self._begun.add(name)
            for begun in found.anew:
                counts.pop(begun, None)
        known = found.levels[place]
        counts[place] = min(counts.get(place, known.start - 1) + 1, _LARGEST)
        for lower in [lower for lower in counts if lower > place]:
            deeper = found.levels.get(lower, Level())
            if deeper.restart and place < deeper.restart:
                del counts[lower]
        return _drawn(found.levels, counts, known)


def _drawn(levels: dict[int, Level], counts: dict[int, int], known: Level) -> str:
    if known.form == "bullet":
        return f"{BULLET}{known.gap}"

    def number(match: re.Match[str]) -> str:
        place = int(match[1]) - 1
        shown = levels.get(place, Level())
        return _number(counts.get(place, shown.start), "decimal" if known.is_legal else shown.form)

    text = _PLACE.sub(number, known.text).strip()
    return f"{text}{known.gap}" if text else ""


def _number(number: int, form: str) -> str:
    """A number as Word draws it in a form; in digits where the form is a rarer one."""
    write = _FORMS.get(form)
    return write(number) if write is not None and (number > 0 or form == "none") else str(number)


def _roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        text += sign * (number // value)
        number %= value
    return text


def _letters(number: int, alphabet: str) -> str:
    """A to Z, then AA to ZZ, and so on."""
    times, place = divmod(number - 1, len(alphabet))
    return alphabet[place] * (times + 1)


def _ordinal(number: int) -> str:
    is_teen = number // 10 % 10 == 1
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _han(number: int) -> str:
    tens, ones = divmod(number, 10)
    if tens > 9:
        return "".join(_HAN_DIGITS[int(digit)] for digit in str(number))
    return f"{_HAN_DIGITS[tens] if tens > 1 else ''}{'十' if tens else ''}{_HAN_DIGITS[ones] if ones else ''}"


_LATIN, _RUSSIAN = "abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрстуфхцчшщэюя"
_FORMS: dict[str, Callable[[int], str]] = {
    "none": lambda _: "",
    "decimalZero": lambda number: f"{number:02}",
    "upperRoman": _roman,
    "lowerRoman": lambda number: _roman(number).lower(),
    "upperLetter": lambda number: _letters(number, _LATIN.upper()),
    "lowerLetter": lambda number: _letters(number, _LATIN),
    "russianUpper": lambda number: _letters(number, _RUSSIAN.upper()),
    "russianLower": lambda number: _letters(number, _RUSSIAN),
    "ordinal": _ordinal,
    **dict.fromkeys(
        "chineseCounting chineseCountingThousand taiwaneseCounting taiwaneseCountingThousand japaneseCounting"
        " ideographDigital japaneseDigitalTenThousand".split(),
        _han,
    ),
}


def _style(node: "Element") -> _Style:
    based_on, number, level = _child_value(node, "basedOn"), None, None
    for settings in _children(node, "pPr"):
        for listed in _children(settings, "numPr"):
            number = _child_value(listed, "numId") or None
            level = whole(_child_value(listed, "ilvl"))
    return _Style(based_on, number, level)


def _levels(node: "Element | None") -> dict[int, Level]:
    return {whole(_value(level, "ilvl")) or 0: _level(level) for level in _children(node, "lvl")}


def _level(node: "Element") -> Level:
    is_hidden = any(True for settings in _children(node, "rPr") for _ in _children(settings, "vanish"))
    restart = whole(_child_value(node, "lvlRestart"))
    legal = next(_children(node, "isLgl"), None)
    return Level(
        start=whole(_child_value(node, "start")) or 0,
        form=_form(node),
        text="" if is_hidden else _child_value(node, "lvlText"),
        restart=N_LEVELS if restart is None else restart,
        gap="" if _child_value(node, "suff") == "nothing" else " ",
        style=_child_value(node, "pStyle"),
        is_legal=legal is not None and _value(legal, "val") not in ("0", "false", "off"),
    )


def _form(node: "Element") -> str:
    """The form of a level's numbers, which newer ones offer as a choice with an older one."""
    forms = [_value(child, "val") for child in node.iter() if _name(child.tag) == "numFmt"]
    return next((form for form in forms if form and form != "custom"), "decimal")


def _children(node: "Element | None", name: str) -> "Iterator[Element]":
    return (child for child in (node if node is not None else ()) if _name(child.tag) == name)


def _child_value(node: "Element", name: str) -> str:
    return next((_value(child, "val") for child in _children(node, name)), "")


def _value(node: "Element", name: str) -> str:
    """An attribute, whatever its namespace."""
    return next((value for key, value in node.attrib.items() if _name(key) == name), "")


def _name(tag: object) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def whole(text: str) -> int | None:
    """A whole number within what Word allows; None where the text is none."""
    return min(int(text), _LARGEST) if text.isascii() and text.isdigit() and len(text) < 9 else None
