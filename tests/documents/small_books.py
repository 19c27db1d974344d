"""Writes small EPUB files, so that no test needs a file or a network."""

import io
import zipfile
from collections.abc import Mapping, Sequence

CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""

NCX = """<?xml version="1.0"?>
<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{}</navMap></ncx>"""

NAV = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>
<nav epub:type="toc"><ol>{}</ol></nav></body></html>"""


def page(body: str) -> str:
    """A chapter of XHTML."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><style>p {{ color: red }}</style></head><body>{body}</body></html>"
    )


def epub(
    chapters: Sequence[tuple[str, str]], *, version: int = 3, extra: Mapping[str, str | bytes] | None = None
) -> bytes:
    """A book of chapters given as title and body; an empty title is left out of the table of contents.

    The files are stored in reverse, because only the spine gives the order.
    """
    names = [f"text/part {len(chapters) - i}.xhtml" for i in range(len(chapters))]
    hrefs = [name.replace(" ", "%20") for name in names]
    listed = [(href, title) for href, (title, _) in zip(hrefs, chapters, strict=True) if title]
    manifest = "".join(
        f'<item id="c{i}" href="{href}" media-type="application/xhtml+xml"/>' for i, href in enumerate(hrefs)
    )
    if version == 3:
        contents = NAV.format("".join(f'<li><a href="{href}#top"> {title}\n</a></li>' for href, title in listed))
        manifest += '<item id="toc" href="toc.x" properties="nav" media-type="application/xhtml+xml"/>'
    else:
        contents = NCX.format(
            "".join(
                f"<navPoint><navLabel><text>{title}</text></navLabel><content src='{href}'/></navPoint>"
                for href, title in listed
            )
        )
        manifest += '<item id="toc" href="toc.x" media-type="application/x-dtbncx+xml"/>'
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<manifest>{manifest}</manifest><spine toc="toc">{spine}</spine></package>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        book.writestr("META-INF/container.xml", CONTAINER)
        book.writestr("OEBPS/content.opf", package)
        book.writestr("OEBPS/toc.x", contents)
        for name, (_, body) in reversed(list(zip(names, chapters, strict=True))):
            book.writestr(f"OEBPS/{name}", page(body))
        for name, data in (extra or {}).items():
            book.writestr(name, data)
    return out.getvalue()
