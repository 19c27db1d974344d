import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.display.answer import AnswerWriter
from infinipot_cli.errors import OutputError


def written(pieces: list[str]) -> str:
    out = io.StringIO()
    writer = AnswerWriter(out)
    for piece in pieces:
        writer.write(piece)
    writer.close()
    assert out.getvalue() == writer.text + "\n"
    return out.getvalue()


@given(st.lists(st.text(st.sampled_from(" \n\tab\x1b[é"), max_size=6)))
def test_an_answer_is_the_text_without_the_space_around_it_however_it_comes(pieces: list[str]) -> None:
    assert written(pieces) == "".join(pieces).replace("\x1b", "").strip() + "\n"


def test_an_answer_streams() -> None:
    out = io.StringIO()
    writer = AnswerWriter(out)
    seen = []
    for piece in [" ", "Captain", " ", "Smollett", " "]:
        writer.write(piece)
        seen.append(out.getvalue())
    assert seen == ["", "Captain", "Captain", "Captain Smollett", "Captain Smollett"]


def test_a_full_disk_is_an_output_error_and_a_broken_pipe_stays_one() -> None:
    class Full(io.StringIO):
        error: OSError = OSError(28, "No space left on device")

        def write(self, _: str) -> int:
            raise self.error

    with pytest.raises(OutputError, match="No space left"):
        AnswerWriter(Full()).write("x")
    Full.error = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        AnswerWriter(Full()).write("x")


def test_a_closed_standard_output_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OutputError, match="closed"):
        AnswerWriter()
