"""A trail as bytes, to be stored with its pot: so that what is asked later can be cited without the documents.

The passages that match its questions best go with it as JSON.
"""

import json
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from infinipot_cli.documents.piece import LineNumbers
from infinipot_cli.errors import PotError
from infinipot_cli.explain.lookout import Found
from infinipot_cli.explain.rows import Row
from infinipot_cli.explain.stretches import Match
from infinipot_cli.explain.trail import Block, PageStart, ReadDocument, Trail

_LARGEST = 256 * 2**20  # unpacked; no trail comes near it


def packed(trail: Trail) -> bytes:
    """Documents and blocks of a trail, compressed JSON."""
    documents = [
        [one.name, one.kind, one.lines.first, one.n_chars, [[page.char, page.page, page.label] for page in one.pages]]
        for one in trail.documents
    ]
    blocks = [
        [block.origin, block.document, block.ids.tolist(), block.starts.tolist(), block.text, block.line]
        for block in trail.blocks
    ]
    lines = [one.lines.ranges for one in trail.documents]
    forgotten = [
        [*row.place, row.origin, row.n_tokens, *row.lines, row.n_line_ends, *row.char] for row in trail.forgotten
    ]
    content = {
        "documents": documents,
        "lines": lines,
        "blocks": blocks,
        "forgotten": forgotten,
        "next": trail.n_seen,
    }
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode("ascii"), 6)


def unpacked(data: bytes, n_prefix: int, *, n_seen: int, n_documents: int, vocabulary_size: int) -> Trail:
    """The trail behind `packed` bytes, ready for more documents.

    Args:
        data: from a pot whose sum was right.
        n_prefix: tokens that the pot has read before the first document.
        n_seen: tokens that it has read in all.
        n_documents: whose tokens are among them; one more may have been opened.
        vocabulary_size: ids that there are.

    Raises:
        PotError: it is no trail.
    """
    trail = Trail(n_prefix)
    try:
        unpacker = zlib.decompressobj()
        content = json.loads(unpacker.decompress(data, _LARGEST))
        documents = content["documents"]
        ranges = content.get("lines") or [[[one[2], None]] for one in documents]  # stored before there was that
        for (name, kind, _, n_chars, pages), lines in zip(documents, ranges, strict=True):
            starts = [PageStart(int(char), int(page), _label(label)) for char, page, label in pages]
            trail.documents.append(ReadDocument(str(name), str(kind), _lines(lines), starts, int(n_chars)))
        del trail.documents[n_documents:]
        by_lines = {number for number, document in enumerate(trail.documents) if document.is_by_lines}
        blocks = [
            Block(
                int(origin),
                int(document),
                array("q", ids),
                array("q", starts),
                str(text),
                int(line),
                document in by_lines,
            )
            for origin, document, ids, starts, text, line in content["blocks"]
        ]
        rows = [_row(*row) for row in content.get("forgotten", ())]  # stored before there was that: nothing is known
        trail.put_back(blocks, int(content["next"]), rows)
        if not (n_prefix <= trail.n_seen <= n_seen and _follow(trail, n_prefix, vocabulary_size)):
            raise ValueError
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise PotError("the stored pot lacks the trail of what it has read", code="damaged_pot") from error
    return trail


def _row(*stored: int) -> Row:
    document, page, stretch, left_out, origin, n_tokens, line, last_line, n_line_ends, char, end = map(int, stored)
    place = (document, page, stretch, left_out)
    return Row(place, origin, n_tokens, (line, last_line), n_line_ends, (char, end))


def _label(stored: object) -> str | None:
    return None if stored is None else str(stored)


def _lines(stored: Iterable[Sequence[int | None]]) -> LineNumbers:
    """Ranges of lines, in order and apart from each other; only the last one may be open."""
    ranges = tuple((int(first or 0), None if last is None else int(last)) for first, last in stored)
    ends = [end for ends in ranges for end in ends if end is not None]
    is_open = any(last is None for _, last in ranges[-1:])
    if not ends or len(ends) + is_open != 2 * len(ranges) or ends != sorted(ends) or ends[0] < 1:
        raise ValueError
    return LineNumbers(ranges)


def _follow(trail: Trail, n_prefix: int, vocabulary_size: int) -> bool:
    """Whether the blocks of a trail lie one behind the other, each with as much text as its tokens need."""
    behind, last_document, last_char = n_prefix, 0, 0
    for block in trail.blocks:
        if block.document != last_document:
            last_char = 0
        starts, n_ids = block.starts.tolist(), len(block.ids)
        if not (
            behind <= block.origin <= trail.n_seen - n_ids
            and last_document <= block.document < len(trail.documents)
            and 0 < n_ids == len(starts)
            and 0 <= min(block.ids) <= max(block.ids) < vocabulary_size
            and last_char <= starts[0]
            and starts == sorted(starts)
            and starts[-1] <= block.char_end
        ):
            return False
        behind, last_document, last_char = block.origin + n_ids, block.document, block.char_end
    if not _fit(trail, n_prefix):
        return False
    pages = [[start.char for start in document.pages] for document in trail.documents]
    return all(chars == sorted(chars) and min(chars, default=0) >= 0 for chars in pages)


def _fit(trail: Trail, n_prefix: int) -> bool:
    """Whether the rows that are forgotten lie between the blocks of a trail, in the order of its documents."""
    are_right = all(
        0 <= row.place[0] < len(trail.documents)
        and (row.place[1] > 0) == bool(trail.documents[row.place[0]].pages)
        and row.n_tokens > 0
        and 1 <= row.lines[0] <= row.lines[1]
        and row.n_line_ends >= 0
        and 0 <= row.char[0] <= row.char[1]
        for row in trail.forgotten
    )
    known = [(block.origin, block.origin + len(block.ids), block.document) for block in trail.blocks]
    known += [(row.origin, row.end, row.place[0]) for row in trail.forgotten]
    edges = [n_prefix, *chain.from_iterable(ends[:2] for ends in sorted(known)), trail.n_seen]
    documents = [document for *_, document in sorted(known)]
    return are_right and edges == sorted(edges) and documents == sorted(documents)


def found_to_json(found: Mapping[str, Found]) -> dict[str, dict[str, Any]]:
    """Passages by question, as plain JSON values."""
    return {question: asdict(passages) for question, passages in found.items()}


def found_of(content: Mapping[str, Mapping[str, Any]], *, n_documents: int, n_seen: int) -> dict[str, Found]:
    """The opposite.

    Args:
        content: as `found_to_json` gives it.
        n_documents: that were read.
        n_seen: tokens that were read in all.

    Raises:
        KeyError, TypeError, ValueError: they are no passages.
    """
    found = {str(question): _found(passages) for question, passages in content.items()}
    for passages in found.values():
        are_there = all(0 <= one.document < n_documents and 0 <= one.char[0] <= one.char[1] for one in passages.best)
        ranges = chain((one.origins for one in passages.best), (passage[:2] for passage in passages.passages))
        if not (are_there and all(0 <= start <= end <= n_seen for start, end in ranges)):
            raise ValueError
    return found


def _found(held: Mapping[str, Any]) -> Found:
    passages = tuple((int(start), int(end), float(share)) for start, end, share in held["passages"])
    return Found(tuple(_match(one) for one in held["best"]), passages, held.get("is_unheard") is True)


def _match(held: Mapping[str, Any]) -> Match:
    (first, last), (start, end) = held["char"], held["origins"]
    char, origins = (int(first), int(last)), (int(start), int(end))
    line = int(held["line"])
    last_line = max(line, int(held.get("last_line", line)))  # stored before there was that
    return Match(int(held["document"]), char, origins, line, str(held["quote"]), last_line)
