"""What was filled in on a page of a PDF: values of form fields, and text that was typed onto it.

Neither is part of a page's own text: both are annotations, which viewers draw over it (ISO 32000-2, 12.5 and 12.7).
They are foreign code's input as much as the page is: one that cannot be read is left out, and the others are kept.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pypdf
from pypdf.generic import ArrayObject, DictionaryObject, NullObject, StreamObject, create_string_object

# Flags are bits counted from 1: those of an annotation that is not shown, then those of fields.
_HIDDEN = 1 << 1 | 1 << 5
_PASSWORD = 1 << 13
_RADIO = 1 << 15
_PUSH_BUTTON = 1 << 16

_MAX_DEPTH = 32  # of a tree of fields; a damaged one may go round in circles
_INDEX = re.compile(r"\[\d+\]$")


def filled_in(page: pypdf.PageObject) -> str:
    """The lines of a page's annotations, in the file's order: `label: value` of a field, a note as it stands.

    A field that stands on the page several times is said once. Empty where nothing was filled in.

    Raises:
        Exception: the page's list of annotations cannot be read, for almost any reason.
    """
    lines: list[str] = []
    said: dict[int, DictionaryObject] = {}  # by identity; held, so that no other object gets it
    for reference in _at(page, "/Annots") or ():
        with suppress(Exception):  # a damaged annotation raises almost anything
            annotation = reference.get_object()
            if annotation["/Subtype"] not in ("/FreeText", "/Widget"):
                continue
            if int(_at(annotation, "/F") or 0) & _HIDDEN:
                continue
            if annotation["/Subtype"] == "/FreeText":
                lines += [_text(_at(annotation, "/Contents")).strip()]
                continue
            field = _Field(annotation)
            if id(field.own) not in said and (value := field.value()):
                lines += [f"{label}: {value}" if (label := field.label()) else value]
                said[id(field.own)] = field.own
    return "\n".join(filter(None, lines))


class _Field:
    """A field as a widget shows it.

    Args:
        widget: the annotation; often it is the field as well, else the field is its parent.
    """

    def __init__(self, widget: DictionaryObject) -> None:
        self._widget = widget
        self._family = list(_family(widget))  # from the widget up to the root of its tree
        n_below = next((i for i, member in enumerate(self._family) if "/T" in member), 0)
        self._members = self._family[: n_below + 1]
        self.own = self._family[n_below]

    def label(self) -> str:
        """What the field is called: its tooltip, else the last part of its name that says something."""
        for member in self._members:
            if tooltip := _line(_text(_at(member, "/TU"))).rstrip(" :"):
                return tooltip
        parts = [part for member in reversed(self._family) for part in _text(_at(member, "/T")).split(".")]
        names = [name for part in parts if (name := _line(_INDEX.sub("", part)))]
        # programs number fields of one name ("Name.0") and mark unnamed parts of a form ("#subform[2]")
        telling = [name for name in names if not name.isdigit() and not name.startswith("#")]
        return (telling or names or [""])[-1]

    def value(self) -> str:
        """What is filled in, empty if nothing is or if a viewer would not show it."""
        kind, flags = self._inherited("/FT"), int(self._inherited("/Ff") or 0)
        if kind == "/Tx":
            return "" if flags & _PASSWORD else _text(self._inherited("/V")).strip()
        if kind == "/Ch":
            return ", ".join(filter(None, map(self._shown, _several(self._inherited("/V")))))
        if kind == "/Btn" and not flags & _PUSH_BUTTON:
            return self._ticked(is_radio=bool(flags & _RADIO))
        return ""  # a signature says nothing that could be read

    def _inherited(self, key: str) -> Any:
        return next((value for member in self._family if (value := _at(member, key)) is not None), None)

    def _shown(self, chosen: Any) -> str:
        """What a list shows for a value: an option is that, or a pair of what is sent and what is shown."""
        for option in _several(self._inherited("/Opt")):
            if len(pair := _several(option)) > 1 and pair[0] == chosen:
                return _text(pair[1]).strip()
        return _text(chosen).strip()

    def _ticked(self, *, is_radio: bool) -> str:
        """`yes` for a box that is ticked; the name of the option where one of several can be."""
        state = _at(self._widget, "/AS")
        if state is None:  # then the field's value says which of its widgets is on
            state = self._inherited("/V")
        if not isinstance(state, str) or state == "/Off" or state not in (_states(self._widget) or {state}):
            return ""
        kids = _several(_at(self.own, "/Kids"))
        if not is_radio and len(set().union(*map(_states, kids))) < 2:
            return "yes"
        options = _several(self._inherited("/Opt"))  # one for each kid, where the names of states do not do
        place = next((i for i, kid in enumerate(kids) if kid is self._widget), len(options))
        return _line(_text(options[place]) if place < len(options) else state.removeprefix("/"))


def _family(widget: Any) -> Iterator[DictionaryObject]:
    member = widget
    for _ in range(_MAX_DEPTH):
        if not isinstance(member, DictionaryObject):
            return
        yield member
        member = _at(member, "/Parent")


def _states(widget: Any) -> set[str]:
    """The names of what a button looks like when it is on."""
    looks = _at(_at(widget, "/AP"), "/N")
    return set() if isinstance(looks, StreamObject) else set(looks or ()) - {"/Off"}


def _at(holder: Any, key: str) -> Any:
    """What an entry of a dictionary refers to; None where there is none, or null."""
    found = holder.get(key) if isinstance(holder, DictionaryObject) else None
    return _resolved(found) if found is not None else None


def _several(value: Any) -> list[Any]:
    """The elements of an array; whatever else it is stands for itself alone."""
    if isinstance(value, ArrayObject):
        return [_resolved(element) for element in value]
    return [] if value is None else [value]


def _resolved(value: Any) -> Any:
    found = value.get_object()
    return None if isinstance(found, NullObject) else found


def _text(value: Any) -> str:
    """The text of a string, or of a stream that holds a long one; empty for anything else."""
    if isinstance(value, StreamObject):
        value = create_string_object(value.get_data())
    if isinstance(value, bytes):  # in no encoding that a PDF may use
        return value.decode("cp1252", "replace")
    return str(value) if isinstance(value, str) else ""


def _line(text: str) -> str:
    return " ".join(text.split())
