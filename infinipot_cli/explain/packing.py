"""A trail as bytes, to be stored with its pot: so that what is asked later can be cited without the documents.

The passages that match its questions best go with it as JSON.
"""

import json
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from infinipot_cli.errors import PotError
from infinipot_cli.explain.lookout import Match
from infinipot_cli.explain.trail import Block, PageStart, ReadDocument, Trail

_LARGEST = 256 * 2**20  # unpacked; no trail comes near it


def packed(trail: Trail) -> bytes:
    """Documents and blocks of a trail, compressed JSON."""
    documents = [
        [one.name, one.kind, one.first_line, one.n_chars, [[page.char, page.page, page.label] for page in one.pages]]
        for one in trail.documents
    ]
    blocks = [
        [block.origin, block.document, block.ids.tolist(), block.starts.tolist(), block.text, block.line]
        for block in trail.blocks
    ]
    content = {"documents": documents, "blocks": blocks, "next": trail.n_seen}
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode("ascii"), 6)


def unpacked(data: bytes, n_prefix: int) -> Trail:
    """The trail behind `packed` bytes, ready for more documents.

    Args:
        data: from a pot whose sum was right.
        n_prefix: tokens that the pot has read before the first document.

    Raises:
        PotError: it is no trail.
    """
    trail = Trail(n_prefix)
    try:
        unpacker = zlib.decompressobj()
        content = json.loads(unpacker.decompress(data, _LARGEST))
        for name, kind, first_line, n_chars, pages in content["documents"]:
            starts = [PageStart(int(char), int(page), label) for char, page, label in pages]
            trail.documents.append(ReadDocument(str(name), str(kind), int(first_line), starts, int(n_chars)))
        blocks = [
            Block(int(origin), int(document), array("q", ids), array("q", starts), str(text), int(line))
            for origin, document, ids, starts, text, line in content["blocks"]
        ]
        trail.put_back(blocks, int(content["next"]))
    except (zlib.error, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise PotError("the stored pot lacks the trail of what it has read", code="damaged_pot") from error
    return trail


def matches_to_json(matches: Mapping[str, Sequence[Match]]) -> dict[str, list[dict[str, Any]]]:
    """Passages by question, as plain JSON values."""
    return {question: [asdict(match) for match in found] for question, found in matches.items()}


def matches_of(content: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Match]]:
    """The opposite.

    Raises:
        KeyError, TypeError, ValueError: they are no passages.
    """
    return {str(question): [_match(one) for one in found] for question, found in content.items()}


def _match(held: Mapping[str, Any]) -> Match:
    (first, last), (start, end) = held["char"], held["origins"]
    char, origins = (int(first), int(last)), (int(start), int(end))
    return Match(int(held["document"]), char, origins, int(held["line"]), str(held["quote"]))
