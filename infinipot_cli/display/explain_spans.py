"""Text of a report in few enough spans: neighbours are joined under their mean, so that its file stays small."""

from collections.abc import Iterator, Sequence

from infinipot_cli.explain.record import Span

# Characters from which on text that nothing holds stays by itself, so that a page is not shaded for one word of it.
_LONG = 40


def width_for(texts: Sequence[Sequence[Span]], most: int) -> int:
    """The smallest power of two that, as `width` of `mean_spans`, leaves no more marked spans than wanted.

    Args:
        texts: spans of each part.
        most: marked spans wanted at most, over all parts; one a part there always may be.
    """
    width = 1
    while width < max(map(len, texts), default=0) and _n_marked(texts, width) > most:
        width *= 2
    return width


def _n_marked(texts: Sequence[Sequence[Span]], width: int) -> int:
    return sum(_is_marked(span) for spans in texts for span in mean_spans(spans, width))


def mean_spans(spans: Sequence[Span], width: int) -> Iterator[Span]:
    """Spans with up to `width` neighbours joined: the text in a row, what is kept as the mean over its characters.

    Args:
        spans: of one part.
        width: spans that make one; with 1 they come as they are.
    """
    group: list[Span] = []
    for span in spans:
        if len(span.text) >= _LONG and not _is_marked(span):
            yield from _joined(group)
            yield span
            group = []
            continue
        group.append(span)
        if len(group) == width:
            yield from _joined(group)
            group = []
    yield from _joined(group)


def _is_marked(span: Span) -> bool:
    return bool(span.share or span.attended)


def _joined(group: Sequence[Span]) -> Iterator[Span]:
    if len(group) < 2:
        yield from group
        return
    n_chars = sum(len(span.text) for span in group) or 1
    rules = zip(*(span.kept for span in group), strict=True)
    lengths = [len(span.text) for span in group]
    yield Span(
        "".join(span.text for span in group),
        tuple(sum(share * n for share, n in zip(rule, lengths, strict=True)) / n_chars for rule in rules),
        sum(span.attended for span in group),
    )
