"""Train pocket's tokenizer: byte-level BPE, about 8k entries, single digits, chat control tokens.

One regular expression splits the text (and nothing else does), so that the same table serves both the tokenizers
library and tiktoken. Digits stand alone because a reader must copy numbers it has never seen.
"""

import lzma
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

CONTROL_TOKENS = ("<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"
VOCABULARY_SIZE = 8192
CHARACTERS_PER_FILE = 6_000_000


def train(data: Path, target: Path) -> Tokenizer:
    """Train on the first characters of every `lm` file and write `tokenizer.json`.

    Args:
        data: folder with an `lm` folder of `.txt.xz` files.
        target: the file to write.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(data), trainer)
    target.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(target))
    return tokenizer


def _texts(data: Path) -> Iterator[str]:
    for path in sorted((data / "lm").glob("*.txt.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            yield from lines.read(CHARACTERS_PER_FILE).split("\n\n")
