"""Keep a model's reasoning out of its answer.

Models that reason before they answer mark it in one of two ways: a pair of tags around it (`<think>` … `</think>`, as
Qwen3 and DeepSeek-R1; the opening one may already stand at the end of the prompt), or channels, each with a header
(`<|channel|>analysis<|message|>`, the format of GPT-OSS), of which only `final` is the answer. A mark may be one
control token, which has no text, or a run of ordinary ones. Whoever wants to see it gets it between one pair of tags on
lines of their own, whatever the model's marks are.
"""

import re
from collections.abc import Sequence

from infinipot_cli.tokens.detokenize import Detokenizer
from infinipot_cli.tokens.tokenizer import DocumentTokenizer

TAGS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
_CHANNEL, _MESSAGE, _START = "<|channel|>", "<|message|>", "<|start|>"
_ANSWER_CHANNEL = "final"
# Around reasoning that is shown.
OPENING, CLOSING = "<think>\n", "</think>\n\n"
_SHOWN = re.compile(rf"\A{OPENING}.*?(?:{CLOSING}|\Z)", re.DOTALL)
_LONGEST_TAG = max(len(tag) for pair in TAGS for tag in pair)


def without_reasoning(text: str) -> str:
    """An answer that shows its reasoning, without it."""
    return _SHOWN.sub("", text)


class AnswerText:
    """The text of an answer from its tokens, piece by piece, without the reasoning in front of it.

    Args:
        tokenizer: the tokenizer the ids belong to.
        prompt_end: tokens that the answer follows.
        shows_reasoning: give the reasoning too, between `OPENING` and `CLOSING`.
    """

    def __init__(
        self, tokenizer: DocumentTokenizer, prompt_end: Sequence[int] = (), *, shows_reasoning: bool = False
    ) -> None:
        self._tokenizer, self._detokenizer = tokenizer, Detokenizer(tokenizer)
        self._shows_reasoning = shows_reasoning
        self._reasoned: str | None = None  # behind an opening tag that was shown, the latest two characters
        self._marks: dict[int, str] = {}
        for mark in (*(tag for pair in TAGS for tag in pair), _CHANNEL, _MESSAGE, _START):
            ids = tokenizer.encode_template(mark)
            if len(ids) == 1:
                self._marks[ids[0]] = mark
        if _CHANNEL not in self._marks.values():  # "start" alone could mean anything
            self._marks = {number: mark for number, mark in self._marks.items() if mark not in (_MESSAGE, _START)}
        end = tokenizer.decode(list(prompt_end)).rstrip()
        self._closing = next((close for open_, close in TAGS if end.endswith(open_)), "")
        self._header: str | None = None  # of a channel, while it is being written
        self._hides_channel = self._had_channel = self._has_shown = False
        self._doubted: str | None = None  # behind text of the answer, what an opening tag hides until it is closed
        self._pending = ""  # text that may turn out to be the beginning of a tag
        self._trims = bool(self._closing)  # white space between reasoning and answer belongs to neither
        for token_id in prompt_end:
            if mark := self._marks.get(token_id, ""):
                self._enter(mark)

    @property
    def is_reasoning(self) -> bool:
        """Whether what is being written now is no answer."""
        return bool(self._closing) or self._hides_channel or self._header is not None

    def push(self, token_id: int) -> str:
        """Take one id; give the text of the answer that is now certain."""
        mark = self._marks.get(token_id)
        if mark is None:
            return self._scan(self._detokenizer.push(token_id), last=False)
        before = self._scan(self._detokenizer.flush(), last=True)
        is_control = not self._tokenizer.decode([token_id])
        if not is_control and self._is_spoken_of(mark):
            return before + self._visible(mark)
        self._enter(mark, is_control=is_control)
        return before

    def flush(self) -> str:
        """Give what is left: nothing more is coming."""
        left = self._scan(self._detokenizer.flush(), last=True)
        if not self.is_reasoning:
            left += self._closed()
        if self._header is not None and not self._had_channel:  # a turn was opened, and its text is no header
            left, self._header = left + self._header.strip(), None
        if self._doubted is not None:  # never closed: the answer spoke of a tag
            left, self._doubted, self._closing = left + self._doubted, None, ""
        return left

    def _enter(self, mark: str, *, is_control: bool = False) -> None:
        if mark in (_CHANNEL, _START):
            self._header = ""
            self._had_channel |= mark == _CHANNEL
        elif mark == _MESSAGE:
            self._hides_channel = self._header is not None and self._header.split()[:1] not in ([], [_ANSWER_CHANNEL])
            self._header = None
            self._trims = True
        elif mark == self._closing:
            self._closing, self._trims, self._doubted = "", True, None
        elif not self._closing:
            self._closing = dict(TAGS).get(mark, "")
            self._trims |= bool(self._closing)
            self._doubted = mark if self._has_shown and not is_control else None

    def _is_spoken_of(self, mark: str) -> bool:
        """Whether a mark behind text of the answer is shown as that is: it closes nothing, or nothing is hidden."""
        if self._closing or not self._has_shown:
            return False
        return mark in dict(TAGS).values() or (self._shows_reasoning and mark in dict(TAGS))

    def _scan(self, text: str, *, last: bool) -> str:
        """What of a piece of text belongs to the answer; the beginning of what may be a tag waits for the rest."""
        if self._header is not None:
            self._header += text
            return ""
        self._pending += text
        shown = ""
        while found := self._next_tag():
            at, tag = found
            shown += self._visible(self._pending[:at])
            self._pending = self._pending[at + len(tag) :]
            if self._is_spoken_of(tag):
                shown += self._visible(tag)
            else:
                self._enter(tag)
        n_held = 0 if last else self._n_open_ended()
        ready, self._pending = (
            self._pending[: len(self._pending) - n_held],
            self._pending[len(self._pending) - n_held :],
        )
        return shown + self._visible(ready)

    def _next_tag(self) -> tuple[int, str] | None:
        """Place and name of the first tag that means something here."""
        found = [(self._pending.find(tag), tag) for tag in self._wanted if tag in self._pending]
        return min(found, default=None)

    @property
    def _wanted(self) -> list[str]:
        """Tags that mean something here: the closing one inside, an opening one outside."""
        return [self._closing] if self._closing else [open_ for open_, _ in TAGS]

    def _n_open_ended(self) -> int:
        """Characters at the end that are the beginning of a tag."""
        longest = range(min(_LONGEST_TAG, len(self._pending)), 0, -1)
        return next((n for n in longest if any(tag.startswith(self._pending[-n:]) for tag in self._wanted)), 0)

    def _visible(self, text: str) -> str:
        starts = self._trims
        if starts and self._doubted is None:
            text = text.lstrip()
        self._trims = starts and not text
        if not self.is_reasoning:
            self._has_shown |= bool(text.strip())
            return self._closed() + text if text else ""
        if self._doubted is not None:
            self._doubted += text
        elif self._shows_reasoning and text:
            before = OPENING if self._reasoned is None else self._line_ends(2 * starts)
            self._reasoned = ((self._reasoned or "") + text)[-2:]
            return before + text
        return ""

    def _closed(self) -> str:
        """The end of reasoning that was shown, if there was any."""
        end = "" if self._reasoned is None else self._line_ends(1) + CLOSING
        self._reasoned = None
        return end

    def _line_ends(self, n: int) -> str:
        """What is missing of so many line ends behind the reasoning so far."""
        reasoned = self._reasoned or ""
        return "\n" * (n - len(reasoned) + len(reasoned.rstrip("\n")))
