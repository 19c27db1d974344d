"""Token ids to text while they are generated, never half a character."""

from infinipot_cli.tokens.tokenizer import DocumentTokenizer

_BROKEN = "\ufffd"  # how a decoder shows bytes that are no character, or not yet
_MOST_PENDING = 64  # ids; a model that gives nothing but broken bytes is not waited for any longer


class Detokenizer:
    """Gives the text of an answer piece by piece; what was pushed and flushed, joined, is the whole text.

    Each token is decoded together with the one or few before it, because decoders treat the first token of
    a text differently (blanks) and because a character may be spread over several tokens.

    Args:
        tokenizer: the tokenizer the ids belong to; its special tokens have no text.
    """

    def __init__(self, tokenizer: DocumentTokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []  # those before `_n_context` are shown already and only give context
        self._n_context = 0
        self._shown = ""  # text of `_ids` that is out

    def push(self, token_id: int) -> str:
        """Take one id; give the text that is now certain, often empty while a character is incomplete."""
        if token_id in self._tokenizer.special_ids:
            return ""
        self._ids.append(token_id)
        text = self._tokenizer.decode(self._ids)
        certain = text.rstrip(_BROKEN)
        if certain == text or len(self._ids) >= _MOST_PENDING:
            new = self._rest(text)
            self._restart(self._ids[self._n_context :])
            return new
        # Byte-fallback decoders show a whole run of bytes as broken, even characters already shown, until
        # its last character is complete.
        if not certain.startswith(self._shown):
            return ""
        new = certain[len(self._shown) :]
        self._shown = certain
        return new

    def flush(self) -> str:
        """Give what is left: nothing more is coming. Incomplete characters become U+FFFD."""
        new = self._rest(self._tokenizer.decode(self._ids))
        self._restart([])
        return new

    def _rest(self, text: str) -> str:
        if text.startswith(self._shown):
            return text[len(self._shown) :]
        return self._tokenizer.decode(self._ids[self._n_context :])  # what was shown cannot be unsaid

    def _restart(self, context: list[int]) -> None:
        self._ids = context
        self._n_context = len(context)
        self._shown = self._tokenizer.decode(context)
