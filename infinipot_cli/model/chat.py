"""The chat format of a model, split where the user's text goes.

A document streams into an open user turn, so the template is rendered around a sentinel once and cut there: what
stands before it opens the turn and is protected in the pot, what stands after it closes the turn and opens the answer.
transformers renders, in its hardened sandbox and without torch, so a prompt that does not fit is refused early.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infinipot_cli.endings import held_back
from infinipot_cli.errors import ModelError
from infinipot_cli.startup.quick_imports import before_transformers, without_collecting

# Invisible separators and a word no template tests for; nothing that a template would trim or transform.
SENTINEL = "\u2063DOC7f3a\u2063"
SYSTEM_SENTINEL = "\u2063SYS7f3a\u2063"
ANSWER_SENTINEL = "\u2063ANS7f3a\u2063"

# How formats of models that reason are told to be brief or not to reason; some fail on a word that is not theirs.
_BRIEF, _OFF = "low", ("none", "no_think")
_MEND = "it stands in the model's folder: chat_template.jinja, or chat_template in tokenizer_config.json"


@dataclass(frozen=True)
class ChatFrame:
    """What a model wants around the user's text.

    Attributes:
        prefix: control tokens and headers in front of the text.
        suffix: end of the user's turn and the header that opens the answer.
        behind_system: where there is a system prompt, what stands between it and the user's text, `prefix` then ending
            in front of it; None if the model's format has no place for one.
    """

    prefix: str
    suffix: str
    behind_system: str | None = None


def chat_frame(
    template: str | None, special_tokens: Mapping[str, str], *, system: bool = False, think: bool = False,
    now: datetime | None = None, opening: str = "",
) -> ChatFrame:  # fmt: skip
    """Split a chat template around the text of its one user turn.

    Args:
        template: Jinja source; None for a model without chat format, which gets `opening` and a line end.
        special_tokens: control tokens by name, as the template may use them.
        system: leave a place for a system prompt, if the template knows one.
        think: let a model that can reason before it answers do so.
        now: date and time for a template that writes them; the present unless given.
        opening: control tokens that the tokenizer itself puts in front of a text.

    Raises:
        ModelError: the template fails, repeats the text or leaves it out.
    """
    if template is None:
        return ChatFrame(prefix=opening, suffix="\n")
    chat = _Chat(template, special_tokens, think, now)
    if system and (frame := _with_system(chat)):
        return frame
    try:
        parts = chat.render().split(SENTINEL)
    except ModelError as error:
        if not system and _with_system(chat):
            error.hint = "it wants a system message: --system TEXT"
        raise
    if len(parts) != 2:
        raise ModelError(
            f"the model's chat template shows the user's text {len(parts) - 1} times; it must show it once",
            hint=_MEND,
            code="chat_template",
        )
    return ChatFrame(prefix=parts[0], suffix=parts[1])


def next_turn(
    template: str | None, special_tokens: Mapping[str, str], *, think: bool = False, now: datetime | None = None
) -> ChatFrame | None:
    """What stands around a further question of a conversation: `prefix` behind the last answer, `suffix` as ever.

    Args:
        template: as for `chat_frame`.
        special_tokens: likewise.
        think: likewise.
        now: likewise.

    Returns:
        None for a format that has no further turns, or that shows them in another order.
    """
    if template is None:
        return ChatFrame(prefix="\n\n", suffix="\n")
    first = {"role": "user", "content": SYSTEM_SENTINEL}
    answer = {"role": "assistant", "content": ANSWER_SENTINEL}
    try:
        rendered = _Chat(template, special_tokens, think, now).render(first, answer)
    except ModelError:
        return None
    before, _, rest = rendered.partition(ANSWER_SENTINEL)
    prefix, _, suffix = rest.partition(SENTINEL)
    if SYSTEM_SENTINEL not in before or rendered.count(ANSWER_SENTINEL) != 1 or rest.count(SENTINEL) != 1:
        return None
    return ChatFrame(prefix=prefix, suffix=suffix)


@dataclass(frozen=True)
class _Chat:
    """A template with what it is told besides the messages; arguments are those of `chat_frame`."""

    template: str
    special_tokens: Mapping[str, str]
    think: bool
    now: datetime | None

    def render(self, *before: dict[str, str]) -> str:
        """The conversation with its open user turn; a template that wants messages in parts gets them so."""
        messages: list[dict[str, Any]] = [*before, {"role": "user", "content": SENTINEL}]
        try:
            plain = self._rendered(messages)
        except ModelError:
            plain = ""
        if not _shows_each(plain, messages):  # formats of models that also see pictures go through a message's parts
            parts = [{**one, "content": [{"type": "text", "text": one["content"]}]} for one in messages]
            with suppress(ModelError):
                if _shows_each(found := self._rendered(parts), messages):
                    return found
        return plain or self._rendered(messages)

    def _rendered(self, messages: list[dict[str, Any]]) -> str:
        """A model that can think first shall answer at once, or think even if it does so only where it is asked to."""
        if not self.think:
            for effort in (_BRIEF, *_OFF):
                with suppress(ModelError):
                    return self._told(messages, reasoning_effort=effort)
            return self._told(messages)
        usual = self._told(messages)
        for effort in _OFF:
            with suppress(ModelError):
                if self._told(messages, reasoning_effort=effort) == usual:
                    return self._told(messages, reasoning_effort="high")
        return usual

    def _told(self, messages: list[dict[str, Any]], **more: str) -> str:
        """The messages as the template shows them, with a switch for reasoning; words it does not know it ignores."""
        with without_collecting(), held_back():
            before_transformers()
            from transformers.utils.chat_template_utils import render_jinja_template

        switches = {"enable_thinking": self.think, "thinking": self.think}
        variables: dict[str, Any] = {**self.special_tokens, **switches, **more}
        try:
            with _clock(self.now):
                rendered: list[str] = render_jinja_template(
                    [messages],
                    chat_template=self.template,
                    add_generation_prompt=True,
                    **variables,
                )[0]  # type: ignore[assignment]  # annotated as str; it is one string for each conversation
        except Exception as error:  # a program from the model's folder: it may fail in any way
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise ModelError(f"the model's chat template fails: {reason}", hint=_MEND, code="chat_template") from error
        return rendered[0]


def _with_system(chat: _Chat) -> ChatFrame | None:
    """The frame with a place for a system prompt; None if the template refuses one, drops it or moves it behind."""
    try:
        rendered = chat.render({"role": "system", "content": SYSTEM_SENTINEL})
    except ModelError:
        return None
    prefix, _, rest = rendered.partition(SYSTEM_SENTINEL)
    middle, _, suffix = rest.partition(SENTINEL)
    if rendered.count(SYSTEM_SENTINEL) != 1 or rest.count(SENTINEL) != 1:
        return None
    return ChatFrame(prefix=prefix, suffix=suffix, behind_system=middle)


def _shows_each(rendered: str, messages: list[dict[str, Any]]) -> bool:
    return all(rendered.count(message["content"]) == 1 for message in messages)


@contextmanager
def _clock(now: datetime | None) -> Iterator[None]:
    """Have transformers' `strftime_now` tell this time to templates, as it takes none; None leaves it the present."""
    from transformers.utils import chat_template_utils

    names = vars(chat_template_utils)
    if now is None or names.get("datetime") is not datetime:
        yield
        return
    names["datetime"] = type("Clock", (datetime,), {"now": staticmethod(lambda *_: now)})
    try:
        yield
    finally:
        names["datetime"] = datetime
