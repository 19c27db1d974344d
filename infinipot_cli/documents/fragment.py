"""Whether a text without a head is a piece of HTML, as `curl` and the clipboard give them, and no other text with tags.

Markdown, XML and templates hold the same tags. What tells a fragment is that it begins with a block, that all of its
elements are HTML's, and that no words stand outside of them.
"""

import re

from infinipot_cli.documents.sniff import bom_encoding

_BLOCKS = frozenset(
    "p div table ul ol dl h1 h2 h3 h4 h5 h6 section article main header footer nav aside blockquote pre figure form"
    " body head".split()
)
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_OTHERS = frozenset(
    "a abbr address audio b bdi bdo big button canvas caption center cite code colgroup data datalist dd del details"
    " dfn dialog dt em fieldset figcaption font hgroup i iframe ins kbd label legend li map mark meter noscript object"
    " optgroup option output picture progress q rp rt ruby s samp script select slot small span strike strong style"
    " sub summary sup svg path g rect circle line text tbody td textarea tfoot th thead time title tr tt u var video"
    .split()
)  # fmt: skip
_KNOWN = _BLOCKS | _VOID | _OTHERS
_OPENING = re.compile(r"\ufeff?\s*(?:<!--(?:(?!-->).)*-->\s*)*<([a-z][a-z0-9]*)[\s>]", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s<>/]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)(/?)>")
_CUT = re.compile(r"<[^<>]*\Z")
# What stands in Markdown, in templates and in the components of programs.
_OTHER_SIGNS = re.compile(
    r"^ {0,3}#{1,6} \S|^ {0,3}(?:```|~~~)|\]\(|\*\*\w"
    r"|\{\{|\{%|<%|<\?|\bclassName=|=\{|\sv-[a-z]+[:=]|\s[@:*(]\w+[^\s<>]*=\"",
    re.MULTILINE,
)
_LEAST_TAGS = 3  # where none is closed


def may_be_fragment(head: bytes) -> bool:
    """Whether a text begins with a block of HTML, so that it is worth a look at more of it."""
    match = _OPENING.match(_decoded(head))
    return match is not None and match[1].lower() in _BLOCKS


def is_fragment(sample: bytes) -> bool:
    """Whether a text that begins with a block of HTML is nothing but that, as far as the sample goes."""
    text = _CUT.sub("", _HIDDEN.sub("", _decoded(sample)))
    if not may_be_fragment(sample) or _OTHER_SIGNS.search(text):
        return False
    open_tags: list[str] = []
    n_tags, is_closed, end = 0, False, 0
    for tag in _TAG.finditer(text):
        if not open_tags and text[end : tag.start()].strip("\ufeff \t\r\n"):
            return False
        name, end = tag[2].lower(), tag.end()
        if name not in _KNOWN or (tag[4] and name not in _VOID | _OTHERS):
            return False
        n_tags += 1
        if not tag[1]:
            open_tags += [name] * (name not in _VOID and not tag[4])
        elif name in open_tags:
            is_closed = True
            while open_tags.pop() != name:  # whose end tags may be left out
                pass
    return (is_closed or n_tags >= _LEAST_TAGS) and (bool(open_tags) or not text[end:].strip())


def _decoded(data: bytes) -> str:
    return data.decode(bom_encoding(data) or "latin-1", "replace")
