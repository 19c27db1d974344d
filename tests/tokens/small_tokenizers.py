"""Tokenizers of the kinds real models use, trained here in a second on a public-domain novel."""

import json
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from infinipot_cli.tokens.tokenizer import FAST_PATTERN

CONTROL = ["<s>", "</s>", "<|user|>", "<|end|>"]
MARKERS = ["<think>", "</think>", "<tool_call>"]  # added tokens that are not flagged as special
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NOVEL = Path(__file__).parents[1] / "data" / "treasure-island.txt"
_FOREIGN = "日本語のテキスト。これは、試験です。¡Año nuevo! Straße, naïve façade — “quotes” … 😀 👩‍👩‍👧 ру́сский\n"


@cache
def novel(n_chars: int = 150_000) -> str:
    return _NOVEL.read_text(encoding="utf-8")[20_000 : 20_000 + n_chars]


@cache
def tokenizer_json(kind: str) -> str:
    """The tokenizer.json of a small tokenizer of the kind."""
    return _KINDS[kind]()


def kinds() -> list[str]:
    return list(_KINDS)


def _lines() -> list[str]:
    return [*novel().split("\n\n"), *[_FOREIGN] * 20]


def _byte_level(*steps: pre_tokenizers.PreTokenizer, **changes: bool) -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        special_tokens=CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(), trainer)
    spec = json.loads(tokenizer.to_str())
    spec["model"].update(changes)
    return json.dumps(spec)


def _split(pattern: str) -> tuple[pre_tokenizers.PreTokenizer, ...]:
    return (
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    )


def _with_markers() -> str:
    tokenizer = Tokenizer.from_str(_byte_level(*_split(LLAMA3_PATTERN)))
    tokenizer.add_tokens(MARKERS)
    tokenizer.add_tokens(["  ", "    ", "\n\n\n"])  # as GPT-NeoX has them: normal vocabulary, kept outside
    text: str = tokenizer.to_str()
    return text


def _sentencepiece(spec: dict[str, object]) -> str:
    """BPE over ▁words with byte fallback, as converted from SentencePiece; `spec` says how blanks are treated."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=1200, special_tokens=special, limit_alphabet=90, show_progress=False)
    tokenizer.train_from_iterator([line.replace("\n", " ") for line in _lines()], trainer)
    trained = json.loads(tokenizer.to_str())
    trained["added_tokens"] = trained["added_tokens"][:3]  # the byte tokens belong to the model only
    trained["decoder"] = json.loads(
        decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        ).__getstate__()
    )
    # merges that build a control token, as some conversions leave them behind
    vocabulary = trained["model"]["vocab"]
    for left, right in (("<", "/"), ("</", "s"), ("</s", ">")):
        for token in (left, right, left + right):
            vocabulary.setdefault(token, len(vocabulary))
        trained["model"]["merges"].append([left, right])
    return json.dumps({**trained, **spec})


def _llama2() -> str:
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _sentencepiece({"normalizer": json.loads(normalizer.__getstate__()), "pre_tokenizer": None})


def _gemma() -> str:
    normalizer = normalizers.Replace(" ", "▁")
    split = pre_tokenizers.Split(" ", "merged_with_previous")
    return _sentencepiece(
        {
            "normalizer": json.loads(normalizer.__getstate__()),
            "pre_tokenizer": json.loads(split.__getstate__()),
        }
    )


def _metaspace() -> str:
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return _sentencepiece({"normalizer": None, "pre_tokenizer": json.loads(metaspace.__getstate__())})


def _unigram() -> str:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=800, special_tokens=["<unk>", *CONTROL], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(_lines(), trainer)
    text: str = tokenizer.to_str()
    return text


_KINDS = {
    "gpt2": lambda: _byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "llama3": lambda: _byte_level(*_split(LLAMA3_PATTERN), ignore_merges=True),
    "pocket": lambda: _byte_level(*_split(FAST_PATTERN)),
    "digits": lambda: _byte_level(
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    ),
    "markers": _with_markers,
    "llama2": _llama2,
    "gemma": _gemma,
    "metaspace": _metaspace,
    "unigram": _unigram,
}
