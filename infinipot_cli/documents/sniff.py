"""What a source is, told from its first bytes; the name is not trusted."""

import re

from infinipot_cli.errors import DocumentError

HEAD_BYTES = 1024
SAMPLE_BYTES = 8 * 1024

# Anywhere in the head, because some servers put bytes before it; with a version, because texts about PDF
# mention the bare word.
_PDF_HEADER = re.compile(rb"%PDF-\d")

_MAGIC = (
    (b"\x7fELF", "an ELF program"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"BZh91AY&SY", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
    (b"OggS\x00", "an Ogg recording"),
    (b"ID3\x03", "an MP3 recording"),
    (b"ID3\x04", "an MP3 recording"),
    (b"\x00asm", "a WebAssembly program"),
    (b"\xca\xfe\xba\xbe", "a Java or macOS program"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"\x5d\x00\x00", "lzma data"),
    (b"\x1f\x9d", "compress data"),
    (b"PAR1", "a Parquet table"),
)
# What helps with what cannot be read, by the words that its name ends in.
_INSTEAD = {
    "archive": "unpack it, and name the files or their folder",
    "container": "unpack it, and name the files or their folder",
    "data": "unpack it first",
    "image": "turn it into text first (OCR), or into a PDF with a text layer",
    "workbook": "save its sheets as CSV",
    "table": "save it as CSV",
    "database": "save its tables as CSV",
    "presentation": "save it as PDF",
    "file": "save it as DOCX or PDF, or name a program that reads it under [loaders] in the settings",
}

# Comments and an XML header may stand before it; a comment ends at its first end, or many would be tried in every way.
_HTML_START = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]*>\s*|<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL
)
PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".zst")
_HTML_NAMES = tuple(name + packed for name in (".html", ".htm", ".xhtml") for packed in ("", *PACKED_ENDINGS))

_BOMS = (  # UTF-32 before UTF-16: its little-endian mark begins with the other's
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)

_SHORTEST_UTF16 = 8
UNMARKED = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
# Besides them, what may stand in a text of any script: marks of quotations and dashes.
_SCRIPTS = tuple(
    re.compile(f"[{letters}\u2002-\u2044\u00a0\u00ad\u00ab\u00b7\u00bb]")
    for letters in (
        "\u00c0-\u024f",
        "\u0370-\u03ff\u1f00-\u1fff",
        "\u0400-\u052f\u2116",
        "\u0590-\u05ff",
        "\u0600-\u06ff",
        "\u0900-\u097f",
        "\u0e00-\u0e7f",
        "\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e",
        "\u3000-\u303f\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3\u4e00-\u9fff\uff01-\uff5e",
    )
)
_STOPS = "\u3001\u3002"
_LEAST_BEYOND = 8  # fewer come about in other data by chance
# Blank space and marks of writing from right to left, which are not printed.
_TEXT_SPACE = "\t\n\r\f\v\u00a0\u00ad\u2002\u2003\u2009\u200b\u200c\u200d\u200e\u200f\u202f\u3000"

# Controls that ordinary text files hold: bell, backspace (overstrike), tab, newlines, form feed, escape.
_TEXT_CONTROLS = bytes((7, 8, 9, 10, 11, 12, 13, 27))
_OTHER_CONTROLS = bytes(set(range(1, 32)) - set(_TEXT_CONTROLS))


def recognise(head: bytes, name: str, *, is_text: bool = False) -> str:
    """Name the format of a source: "pdf", "html", "zip" or "text".

    Args:
        head: its first 1,024 bytes, or all of it when it is shorter.
        name: how messages call it; decides the wording, and whether a piece of markup is a page or a text about one.
        is_text: the user said so; only a format that is no text at all can speak against it.

    Raises:
        DocumentError: it is neither.
    """
    if begins_as("pdf", head):
        return "pdf"
    if begins_as("zip", head):
        return "zip"
    if bom_encoding(head) is None and not is_text:
        for magic, what in _MAGIC:
            if head.startswith(magic):
                raise binary_error(name, what)
        if head[257:262] == b"ustar":
            raise binary_error(name, "a tar archive")
        if head.startswith(b"{\\rtf"):
            raise DocumentError(
                f"{name} is an RTF document, whose text stands among codes",
                hint="save it as DOCX or PDF; --type text reads the codes with it",
                code="binary",
            )
        if head[4:9] == b"\0\0\0\0{":  # eight bytes of length, then JSON, which alone would pass for text
            raise binary_error(name, "weights of a model")
        if looks_binary(head):
            raise binary_error(name)
    return "html" if _looks_like_html(head, name) else "text"


def begins_as(kind: str, head: bytes) -> bool:
    """Whether a source may be what it is said to be, as far as its first bytes tell; any may be a text or a page."""
    if kind == "pdf":
        return head.startswith(b"%PDF-") or _PDF_HEADER.search(head) is not None
    return kind not in ("zip", "epub", "docx") or head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _looks_like_html(head: bytes, name: str) -> bool:
    text = head.decode(bom_encoding(head) or "latin-1", "replace")
    if _HTML_START.match(text):
        return True
    return name.lower().endswith(_HTML_NAMES) and "<" in text


def bom_encoding(head: bytes) -> str | None:
    """The encoding a byte order mark announces, as Python names it; without a mark UTF-16 that shows, or None."""
    return next((encoding for bom, encoding in _BOMS if head.startswith(bom)), None) or _unmarked_utf16(head)


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 that shows: by the NULs of Latin letters, or by being words of one other script in one order of bytes."""
    head = head[: min(len(head), HEAD_BYTES) // 2 * 2]
    for empty, encoding in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
        if len(head) < _SHORTEST_UTF16:
            continue
        n_nul = empty.count(0)
        is_latin = 2 * n_nul >= len(empty) and 20 * (head.count(0) - n_nul) <= len(empty)
        text = head.decode(encoding, "ignore")  # the last character may be cut
        if all(letter.isprintable() or letter in _TEXT_SPACE for letter in text) and (is_latin or _is_one_script(text)):
            return encoding
    return None


def _is_one_script(text: str) -> bool:
    """Whether a text is in one script beside ASCII, and has what no text of single bytes could hold.

    A newline or a blank is a NUL in it, and the stops of Chinese and Japanese are a control character.
    """
    n_beyond = sum(1 for letter in text if letter > "\x7f")
    n_script = max(len(script.findall(text)) for script in _SCRIPTS)
    shows = len(text) - n_beyond + sum(map(text.count, _STOPS)) > 0
    return shows and n_beyond >= _LEAST_BEYOND and 20 * n_script >= 19 * n_beyond


def looks_binary(sample: bytes) -> bool:
    """Whether bytes hold more NULs or control characters than any text would (1 % and 5 %)."""
    n_nul = sample.count(0)
    n_control = len(sample) - len(sample.translate(None, _OTHER_CONTROLS))
    return 100 * n_nul > len(sample) or 20 * n_control > len(sample)


def binary_error(name: str, what: str = "") -> DocumentError:
    """The refusal of a source that is no text; `what` names it where its magic number is known."""
    if name.lower().endswith(".pdf") and not what:
        return DocumentError(
            f"{name} is not a PDF: it has no %PDF- header",
            hint="is the download complete?",
            code="damaged_pdf",
        )
    hint = "infinipot reads text, PDF, HTML, EPUB and DOCX"
    if not what:
        return DocumentError(
            f"{name} looks binary", hint=f"{hint}; if this is text: --encoding NAME, or --type text", code="binary"
        )
    hint = _INSTEAD.get(what.rpartition(" ")[2], hint)
    return DocumentError(f"{name} looks binary ({what})", hint=hint, code="binary")
