"""The report as one HTML file that needs nothing else: no network, no script, light and dark.

Everything that came from a document or a model is escaped, and the file forbids itself scripts and requests, so that a
document cannot act in the reader's browser.
"""

from collections.abc import Iterator, Sequence
from html import escape

from infinipot_cli.display.explain import agreement, facts, longest_gap, place_of, unrecorded, untold
from infinipot_cli.display.explain_spans import mean_spans, width_for
from infinipot_cli.display.safe import safe
from infinipot_cli.display.summary import counted, grouped, percent
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.record import FORGOTTEN, Part, Report, Span, by_rule

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fdfdfb;--dim:#6b6b6b;--line:#d9d9d4;\
--keep:234,160,30;--cite:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e4df;--paper:#171717;--dim:#9a988f;--line:#3a3a37;--keep:214,140,20;\
--cite:#ff8a80}}
html{scroll-padding-top:10rem}
body{margin:0 auto;max-width:60rem;padding:1.5rem;font:16px/1.55 Georgia,serif;color:var(--ink);background:var(--paper)}
nav,.facts,th,td,.legend{font-family:system-ui,sans-serif;font-size:.85rem}
nav{position:sticky;top:0;background:var(--paper);border-bottom:1px solid var(--line);padding:.6rem 0;display:flex;\
flex-wrap:wrap;align-content:flex-start;gap:2px;max-height:7.5rem;overflow-y:auto}
nav a{width:.8rem;height:1.4rem;border:1px solid var(--line);display:block;box-sizing:border-box}
nav a:nth-child(10n){margin-right:.5rem}nav a:hover,nav a:focus-visible{outline:2px solid var(--ink)}
@media(max-width:40rem){nav{max-height:3.2rem}html{scroll-padding-top:5.5rem}}
nav a.cited{border-bottom:3px solid var(--cite)}
h1{font-size:1.6rem;overflow-wrap:anywhere}section:target h2{color:var(--cite)}
section{border-top:1px solid var(--line);margin-top:1.5rem}
h2{font-size:1.05rem;margin:.8rem 0 .2rem}.facts,.legend{color:var(--dim)}
.text{white-space:pre-wrap;overflow-wrap:anywhere;color:var(--dim)}.text span{color:var(--ink)}
.a{text-decoration:underline 2px var(--cite)}
.s0{background:rgba(var(--keep),.08)}.s1{background:rgba(var(--keep),.22)}.s2{background:rgba(var(--keep),.4)}\
.s3{background:rgba(var(--keep),.55)}
blockquote{margin:.3rem 0 .3rem 1rem}table{border-collapse:collapse}td,th{padding:.1rem .5rem;text-align:right}
.wide{overflow-x:auto}.map td{min-width:.5rem;height:1rem;padding:0;border:1px solid var(--line)}
.small td{min-width:.3rem;height:.5rem;border:0}.small th{padding:0 .5rem;line-height:1}
summary{cursor:pointer}
a{color:inherit}.jump{font:.85rem system-ui,sans-serif}
""" + "".join(f".k{level}{{background:rgba(var(--keep),{level / 9:.2f})}}" for level in range(10))
# Columns of the map of layers; more pages than that share a column.
_MOST_COLUMNS = 100
_MOST_HEAD_COLUMNS = 50
# Spans of text that are shown apart; of a large pot's report neighbours are joined until there are no more.
_MOST_SPANS = 20_000
# An answer's attention to a token from which on it is underlined.
_ATTENDED = 0.01
# What rounds to nothing is not shown.
_LEAST_SCORE = 0.005


def html_report(report: Report) -> str:
    """The whole file."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width"><title>infinipot explain</title>'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f"<h1>{_text(report.question) or 'What the pot holds'}</h1><p>{_text(report.answer)}</p>"
    yield f'<p class="facts">{escape(_facts(report))}</p><p class="legend">{escape(report.legend)}</p>'
    passages = [passage for passage in report.passages if passage.score >= _LEAST_SCORE or report.is_cited(passage)]
    if passages:
        yield "<h2>Passages the answer leaned on</h2>"
    for passage in passages:
        cited = " · cited" if report.is_cited(passage) else ""
        target = _target(report, passage)
        place = _text(place_of(report, passage))
        place = f'<a href="#{target}">{place}</a>' if target else place
        yield f'<blockquote>{place} “{_text(passage.quote)}” <span class="facts">{passage.score:.2f}{cited}</span>'
        yield "</blockquote>"
    yield '<nav aria-label="pages">'
    most = max((part.share for part in report.parts), default=0.0) or 1.0
    for number, part in enumerate(report.parts):
        mark = ' class="cited"' if part.cited else ""
        yield (
            f'<a href="#p{number}"{mark} style="background:rgba(var(--keep),{(part.share / most) ** 0.5:.2f})"'
            f' title="{_text(facts(report, part))}" aria-label="{_text(place_of(report, part))}"></a>'
        )
    yield "</nav>"
    yield from _layers(report)
    width = width_for([part.spans for part in report.parts], _MOST_SPANS)
    if width > 1:
        yield f'<p class="legend">Up to {width} neighbouring stretches are shown as one, with their mean.</p>'
    if any(span.is_forgotten for part in report.parts for span in part.spans):
        yield f'<p class="legend">{FORGOTTEN.strip()} text that is not remembered any more.</p>'
    for number, part in enumerate(report.parts):
        yield from _section(report, number, part, width)
    if report.is_answered:
        yield from _heads(report)
    yield "</body></html>"


def _layers(report: Report) -> Iterator[str]:
    """What every layer holds along the document; of each cell the heads."""
    if not report.n_layers:
        return
    width = -(-len(report.parts) // _MOST_COLUMNS)
    groups = [report.parts[start : start + width] for start in range(0, len(report.parts), width)]
    most = max((share for part in report.parts for share in part.layers), default=0.0) or 1.0
    yield '<h2>Kept by layer</h2><div class="wide"><table class="map">'
    for layer in range(report.n_layers):
        yield f"<tr><th>{layer}</th>{''.join(_cell(group, layer, most) for group in groups)}</tr>"
    yield "</table></div>"
    yield from _layer_heads(report)


def _layer_heads(report: Report) -> Iterator[str]:
    """The same for every head, folded away; classes instead of shades, because there may be hundreds of heads."""
    width = -(-len(report.parts) // _MOST_HEAD_COLUMNS)
    starts = range(0, len(report.parts), width)
    most = max((share for part in report.parts for heads in part.slots for share in heads), default=0.0) or 1.0
    yield "<details><summary>Kept by layer and head</summary>"
    yield '<div class="wide"><table class="map small">'
    for layer, heads in enumerate(report.parts[0].slots):
        for head in range(len(heads)):
            shares = [max(part.slots[layer][head] for part in report.parts[start : start + width]) for start in starts]
            cells = "".join(f"<td class=k{round(9 * (share / most) ** 0.5)}>" for share in shares)
            yield f"<tr><th>{layer}.{head}</th>{cells}</tr>"
    yield "</table></div></details>"


def _cell(parts: Sequence[Part], layer: int, most: float) -> str:
    best = max(parts, key=lambda part: part.layers[layer])
    heads = ", ".join(f"{100 * share:.0f}" for share in best.slots[layer])
    share = best.layers[layer]
    title = f"layer {layer}, {best.title}: {100 * share:.1f} % (heads {heads})"
    return f'<td style="background:rgba(var(--keep),{(share / most) ** 0.5:.2f})" title="{_text(title)}"></td>'


def _section(report: Report, number: int, part: Part, width: int) -> Iterator[str]:
    before = f'<a href="#p{number - 1}">previous</a>' if number else ""
    after = f'<a href="#p{number + 1}">next</a>' if number + 1 < len(report.parts) else ""
    document = f' <span class="facts">{_text(part.path)}</span>' if report.is_of_several else ""
    yield f'<section id="p{number}"><h2>{_text(part.title)}{document}</h2>'
    told = part.told(is_answered=report.is_answered)
    yield f'<div class="facts">{_text(told)} <span class="jump">{before} {after}</span></div>'
    if part.fate:
        yield f'<div class="facts">{escape(part.fate)}</div>'
    yield f'<div class="text">{"".join(map(_span, mean_spans(part.spans, width)))}</div></section>'


def _span(span: Span) -> str:
    if not span.share and not span.attended:
        return _text(span.text)
    strength = min(3, int(span.share * 4))
    mark = " a" if span.attended >= _ATTENDED else ""
    title = f"kept {100 * span.share:.0f} %: {by_rule([f'{100 * share:.0f}' if share else '' for share in span.kept])}"
    attended = f"; attended {100 * span.attended:.2g} %" if span.attended else ""
    return f'<span class="s{strength}{mark}" title="{title}{attended}">{_text(span.text)}</span>'


def _heads(report: Report) -> Iterator[str]:
    yield "<h2>Attention to the documents, by layer and query head (copied)</h2><div class='wide'><table>"
    for number, (attended, copied) in enumerate(zip(report.heads, report.copying, strict=True)):
        cells = "".join(
            f'<td style="background:rgba(var(--keep),{min(1.0, whole):.2f})">{whole:.2f} ({part:.2f})</td>'
            for whole, part in zip(attended, copied, strict=True)
        )
        yield f"<tr><th>{number}</th>{cells}</tr>"
    yield "</table></div>"


def _target(report: Report, passage: Passage) -> str:
    for number, part in enumerate(report.parts):
        if part.path == passage.path and part.holds(passage):
            return f"p{number}"
    return ""


def _facts(report: Report) -> str:
    first, middle, last = (percent(share) for share in report.thirds)
    gap = longest_gap(report)
    passes = report.reading_passes
    dropped = grouped(sum(done.n_before - done.n_held for done in passes))
    return (
        f"{percent(report.kept_share)} of {grouped(report.n_tokens)} tokens kept;"
        f" first third {first}, middle {middle}, last {last}."
        + (f" {told[0].upper()}{told[1:]}." if (told := untold(report)) else "")
        + (f" Longest gap: {gap}." if gap else "")
        + (f" {counted(len(passes), 'distillation')} dropped {dropped} entries of each slot." if passes else "")
        + (f" {told[0].upper()}{told[1:]}." if (told := unrecorded(report)) else "")
        + (f" Agreement: {agreement(report)}." if report.agreement else "")
    )


def _text(text: str) -> str:
    return escape(safe(text), quote=True)
