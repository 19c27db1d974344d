"""What a stored pot says about itself: format, model, settings and sources. No torch."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from infinipot_cli.errors import PotError

_DTYPES = ("fp32", "bf16", "fp16", "fp64")
_ENTRIES = ("exact", "int8")
FORMAT = 1


@dataclass(frozen=True)
class Fingerprint:
    """What must be the same for keys and values to mean anything.

    Attributes:
        model: the name under which the model was used.
        weights: SHA-256 over sizes and samples of the weight files, over all of small ones.
        config: SHA-256 of the configuration, which fixes positions and shapes.
        tokenizer: SHA-256 of the tokenizer.
        template: SHA-256 of the chat template.
        dtype: number format of weights and entries.
        quantization: what the weights were rounded to.
    """

    model: str
    weights: str
    config: str
    tokenizer: str
    template: str
    dtype: str
    quantization: str


@dataclass(frozen=True)
class StoredSource:
    """A document that was read.

    Attributes:
        name: as it was given.
        kind: its type, such as `pdf`.
        n_tokens: its tokens, announcements of its name included.
        sha256: of its text as it was read.
        first_token: number of its first token among all document tokens.
        pages: number or label of each page and its first token, counted as above; empty where there are no pages.
    """

    name: str
    kind: str
    n_tokens: int
    sha256: str
    first_token: int
    pages: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Header:
    """Everything about a stored pot but its tensors.

    Attributes:
        model: what `-m` took; a folder in full.
        fingerprint: the model's identity.
        numbers: sizes, counters, catalyst and settings, as `engine.capture` gives them.
        prefix_ids: tokens in front of the documents.
        catalyst: name of the prompt that judged the entries.
        questions: what was asked while reading; empty for a pot that knows no question.
        sources: the documents, in order.
        created: seconds since 1970.
        entries: how keys and values are stored, `exact` or `int8`.
        ahead: the words that the documents were read behind.
    """

    model: str
    fingerprint: Fingerprint
    numbers: dict[str, Any]
    prefix_ids: tuple[int, ...]
    catalyst: str
    questions: tuple[str, ...]
    sources: tuple[StoredSource, ...]
    created: float
    entries: str = "exact"
    ahead: str = ""

    @property
    def n_tokens(self) -> int:
        """Document tokens read."""
        return sum(source.n_tokens for source in self.sources)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=True, separators=(",", ":"))


def from_json(text: str, name: str) -> Header:
    """The header behind a line of JSON.

    Raises:
        PotError: it is no header, or one of another format.
    """
    try:
        content = strict_json(text)
        number = content.pop("format")
        if type(number) is not int:
            raise TypeError
        if number != FORMAT:
            raise PotError(
                f"pot {name} has format {number}, and this infinipot reads format {FORMAT}",
                hint="read its documents again",
                code="pot_version",
            )
        sources = tuple(
            StoredSource(**{**source, "pages": tuple((str(label), int(first)) for label, first in source["pages"])})
            for source in content.pop("sources")
        )
        fingerprint = Fingerprint(**content.pop("fingerprint"))
        prefix_ids, questions = tuple(content.pop("prefix_ids")), tuple(content.pop("questions"))
        header = Header(fingerprint=fingerprint, sources=sources, prefix_ids=prefix_ids, questions=questions, **content)
        if not _is_sound(header):
            raise TypeError
        return header
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PotError(f"pot {name} is damaged: its header makes no sense", code="damaged_pot") from error


def strict_json(text: str | bytes) -> Any:
    """JSON in which no name stands twice and every number is one; what two readers would take differently is refused.

    Raises:
        ValueError: it is none.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    def no_number(word: str) -> float:
        raise ValueError(f"{word} is no number")

    return json.loads(text, object_pairs_hook=once, parse_constant=no_number)


def _is_sound(header: Header) -> bool:
    """Whether every field is of its type; JSON could hold anything in its place."""
    texts: list[object] = [header.model, header.catalyst, header.entries, header.ahead]
    texts += [*vars(header.fingerprint).values(), *header.questions]
    counts: list[object] = list(header.prefix_ids)
    for source in header.sources:
        texts += [source.name, source.kind, source.sha256]
        counts += [source.n_tokens, source.first_token]
    # a bool is an int to Python, and a count to nobody
    return (
        isinstance(header.numbers, dict)
        and isinstance(header.numbers.get("policy", ""), str)
        and isinstance(header.numbers.get("policy_settings", {}), dict)
        and header.fingerprint.dtype in _DTYPES
        and header.entries in _ENTRIES
        and type(header.created) in (int, float)
        and all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count >= 0 for count in counts)
    )
