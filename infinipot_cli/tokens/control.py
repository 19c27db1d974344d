"""Which tokens of a tokenizer.json speak for the system, and the same tokenizer deaf to them.

A document that contains "<|end|>" or "</think>" must not end a turn. Turning off special-token splitting is
not enough, because some of these are ordinary added tokens; so documents are encoded by a copy of the
tokenizer that does not know them at all.
"""

import itertools
import json
import re
from typing import Any, TypeAlias

import tokenizers

TokenizerSpec: TypeAlias = dict[str, Any]

# <|end|>, </think>, <start_of_turn>, [INST], [/INST], [@BOS@]: markers even where not flagged as special
_MARKER = re.compile(r"<[^<>\s]+>|\[/?@?[A-Z][A-Z0-9_]*@?\]|<<[^<>\s]+>>")


def control_tokens(spec: TokenizerSpec) -> dict[str, int]:
    """Content and id of every token that structures a prompt: special ones, and markers by their look.

    Other added tokens (runs of blanks, plain words) belong to the normal vocabulary of their model. The
    unknown token is not among them where ordinary text may produce it.
    """
    unknown = _unknown_token(spec)
    return {
        token["content"]: token["id"]
        for token in spec.get("added_tokens", ())
        if (token["special"] or _MARKER.fullmatch(token["content"])) and token["content"] != unknown
    }


def special_ids(spec: TokenizerSpec) -> frozenset[int]:
    """Ids that never appear in an answer's text."""
    return frozenset(token["id"] for token in spec.get("added_tokens", ()) if token["special"])


def opening(spec: TokenizerSpec) -> str:
    """Control tokens that the tokenizer itself puts in front of a text; empty if it puts none there."""
    last = spec.get("post_processor") or {}
    for step in last.get("processors", [last]):
        if step.get("type") == "TemplateProcessing":
            front = itertools.takewhile(lambda piece: "SpecialToken" in piece, step["single"])
            return "".join(piece["SpecialToken"]["id"] for piece in front)
    return ""


def without_framing(spec: TokenizerSpec) -> TokenizerSpec:
    """The same tokenizer without truncation, padding and post-processing, which adds and trims.

    Raw offsets matter: a byte-level post-processor moves them over blanks.
    """
    return {**spec, "truncation": None, "padding": None, "post_processor": None}


def without_control(spec: TokenizerSpec) -> TokenizerSpec:
    """The same tokenizer for documents: control tokens are unknown to it, everything else encodes as before.

    Taking them from `added_tokens` leaves them in the model's own vocabulary, where a Unigram model matches
    them as pieces and a BPE model may have merges that build them; there they are renamed to something
    cleaned text cannot hold, and such merges are dropped.
    """
    control = control_tokens(spec)
    model = dict(spec["model"])
    hidden = {content: f"\0control {id_}\0" for content, id_ in control.items()}
    if model["type"] == "Unigram":
        model["vocab"] = [[hidden.get(piece, piece), score] for piece, score in model["vocab"]]
    else:
        model["vocab"] = {hidden.get(token, token): id_ for token, id_ in model["vocab"].items()}
    if model["type"] == "BPE":
        model["dropout"] = None
        if model.get("unk_token") in control:
            model["unk_token"] = None
        model["merges"] = [
            merge
            for merge in model["merges"]
            if control.keys().isdisjoint(pair := merge_pair(merge)) and "".join(pair) not in control
        ]
    return {**without_framing(spec), "model": model, "added_tokens": _added_tokens(spec, hidden)}


def _added_tokens(spec: TokenizerSpec, hidden: dict[str, str]) -> list[TokenizerSpec]:
    """What stays matched outside the model: normal added tokens.

    Those that have their ids from this list alone keep their places, renamed, because ids are counted anew.
    The unknown token goes too: it stays in the model, and here it would be matched in the text.
    """
    in_model = _model_tokens(spec)
    unknown = _unknown_token(spec)
    return [
        {**token, "content": hidden.get(content, content)}
        for token in spec.get("added_tokens", ())
        if (content := token["content"]) != unknown and not (content in hidden and content in in_model)
    ]


def _model_tokens(spec: TokenizerSpec) -> set[str]:
    vocabulary = spec["model"]["vocab"]
    return set(vocabulary) if isinstance(vocabulary, dict) else {piece for piece, _ in vocabulary}


def merge_pair(merge: str | list[str]) -> tuple[str, str]:
    """The two halves of a merge, which older files write as one string with a space."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def parse(text: str) -> TokenizerSpec:
    """Read the JSON of a tokenizer.json; where it leaves the kind of its model out, the library tells which it is."""
    spec: TokenizerSpec = json.loads(text)
    if "type" not in spec["model"]:
        spec = json.loads(tokenizers.Tokenizer.from_str(text).to_str())
    return spec


def _unknown_token(spec: TokenizerSpec) -> str | None:
    """The token ordinary text may turn into when the vocabulary lacks a character; None if it never does."""
    model = spec["model"]
    if model["type"] == "Unigram":
        unk_id = model.get("unk_id")
        return None if unk_id is None else str(model["vocab"][unk_id][0])
    if '"ByteLevel"' in json.dumps(spec.get("pre_tokenizer")):
        return None  # every byte is in the vocabulary
    unknown: str | None = model.get("unk_token")
    return unknown
