"""Text to token ids and back: control tokens in documents stay text, and streaming changes no id."""

from infinipot_cli.tokens.detokenize import Detokenizer
from infinipot_cli.tokens.stream import TokenRun, stream_tokens
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, Encoded, from_backend, from_tokenizer_json

__all__ = [
    "Detokenizer",
    "DocumentTokenizer",
    "Encoded",
    "TokenRun",
    "from_backend",
    "from_tokenizer_json",
    "stream_tokens",
]
