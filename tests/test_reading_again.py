"""`--set reread`: passages that hold a question's words stand whole in the pot when it is asked."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from infinipot_cli.choice import Choice
from infinipot_cli.conversation import Conversation
from infinipot_cli.errors import PotSizeError
from infinipot_cli.explain.evidence import originals, originals_once
from infinipot_cli.explain.lookout import apart
from infinipot_cli.explain.record import RULES
from infinipot_cli.explain.report import make_report
from infinipot_cli.explain.trail import Again, Trail
from infinipot_cli.plan import Turn
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume, save
from infinipot_cli.session import SUMMARIZE, Session, ask, ask_all
from infinipot_cli.settings import PotRequest, Sampling

FACT = "Maren Holt was made keeper of Skerry in 1873."
OTHER = "The ferryman of Dunmarsh was Silas Threlfall."
QUESTION = "Who was keeper of Skerry, Maren Holt?"
ANOTHER = "Who was the ferryman of Dunmarsh?"
DULL = "The night was dark. " * 40


def session(
    tiny_model: Path, reread: float = 0.5, rest: float = 0.5, *, span: bool = False, temperature: float = 0.0
) -> Session:
    choice = Choice(reread=reread, rest=rest, span=span)
    request = PotRequest(capacity=500, budget=250, max_tokens=8 if not span else 30, choice=choice)
    return Session(str(tiny_model), request, sampling=Sampling(temperature=temperature))


def held_everywhere(reading: Reading, text: str, whole: str) -> bool:
    """Whether every layer and head holds every character of a text, as it was read first or again."""
    at = whole.index(text) + len(reading.plan.prompt.prefix_ids)
    wanted = torch.arange(at, at + len(text))
    held = originals(reading.trail, reading.pot.origins)
    return all(bool(torch.isin(wanted, head).all()) for layer in held for head in layer)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(DULL + FACT + " " + DULL + OTHER + " " + DULL)
    return path


def test_a_matching_passage_is_whole_when_the_question_comes(book: Path, tiny_model: Path) -> None:
    with session(tiny_model).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        assert not held_everywhere(reading, FACT, book.read_text())
        n_cycles = reading.pot.n_cycles
        "".join(reading.answer(watch=True))
        assert held_everywhere(reading, FACT, book.read_text())
        assert reading.pot.n_cycles == n_cycles + 1
        assert len(FACT) <= reading.n_reread <= 125
        assert reading.pot.peak <= 500
        assert reading.passes.last is not None
        assert reading.passes.last.n_held == 125
        assert reading.overlooked is None, "nothing of it is lost"


def test_all_that_the_pot_holds_stays_beside_the_passages_where_there_is_room(book: Path, tiny_model: Path) -> None:
    with session(tiny_model, reread=0.3, rest=1.0).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        before, n_cycles = reading.pot.origins, reading.pot.n_cycles
        "".join(reading.answer())
        n_before = before.shape[-1]
        assert reading.n_reread
        if reading.pot.n_cycles == n_cycles:
            assert torch.equal(reading.pot.origins[..., :n_before], before)
        else:
            n_passages = reading.n_reread + len(reading.trail.again)
            assert n_before + n_passages + len(reading.plan.prompt.suffix_ids) + 8 > 500, "there was no room"
            assert reading.passes.last is not None and reading.passes.last.n_held == 250 - n_passages


def test_nothing_is_counted_twice_and_reports_say_what_was_read_again(book: Path, tiny_model: Path) -> None:
    with session(tiny_model).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        before = reading.pot.n_held - len(reading.plan.prompt.prefix_ids)
        said = "".join(reading.answer(watch=True))
        assert reading.attended is not None
        report = make_report(
            reading.trail, reading.pot, reading.attended, reading.passes.all, question=QUESTION, answer=said,
            n_tokens=reading.n_tokens, held=reading.held,
        )  # fmt: skip
        (part,) = [part for part in report.parts if FACT in "".join(span.text for span in part.spans)]
        place = RULES.index("reread")
        marked = "".join(span.text for span in part.spans if span.kept[place] == pytest.approx(1))
        assert marked.strip() == FACT
        assert all(span.share <= 1 + 1e-6 for part in report.parts for span in part.spans)
        n_kept = sum(part.share * part.n_tokens for part in report.parts)
        assert n_kept == pytest.approx(reading.n_kept, abs=0.6)
        assert before < reading.n_kept < before + reading.n_reread, "what was held of the passages counts once"
        assert all(passage.char[1] <= len(book.read_text()) for passage in reading.passages())


@pytest.mark.parametrize("rest", [0.0, 1.0])
def test_passages_may_take_all_of_the_budget_but_what_always_stays(rest: float, book: Path, tiny_model: Path) -> None:
    book.write_text(f"{FACT} {DULL}" * 8)
    with session(tiny_model, reread=1.0, rest=rest).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        "".join(reading.answer())
        assert reading.pot.peak <= 500
        assert reading.n_reread + len(reading.trail.again) < 250


def test_what_fits_is_not_read_again(tmp_path: Path, tiny_model: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text(DULL[:100] + FACT)
    answers = []
    for share in (0.5, 0.0):
        with session(tiny_model, share).prepare([str(short)], ask(QUESTION)) as reading:
            for _ in reading.read():
                pass
            answers.append("".join(reading.answer()))
            assert reading.n_reread == 0
    assert answers[0] == answers[1]


def test_what_fits_is_read_again_where_passages_shall_stand_alone(tmp_path: Path, tiny_model: Path) -> None:
    short, alone = tmp_path / "short.txt", tmp_path / "alone.txt"
    short.write_text(DULL[:100] + FACT)
    alone.write_text("\n" + FACT)
    answers = []
    for path, again in ((short, 0.5), (alone, 0.0)):
        with session(tiny_model, again, 0.0).prepare([str(path)], ask(QUESTION)) as reading:
            for _ in reading.read():
                pass
            answers.append("".join(reading.answer(watch=True)))
            assert reading.n_reread == (len(FACT) if again else 0)
            assert reading.pot.n_cycles == 0 and reading.passes.last is None, "nothing was distilled for it"
            assert reading.kept_share == 1
    assert answers[0] == answers[1], "as if nothing else had been read"


def test_each_of_several_questions_has_its_own_passages(book: Path, tiny_model: Path) -> None:
    with session(tiny_model).prepare([str(book)], ask_all([QUESTION, ANOTHER])) as reading:
        for _ in reading.read():
            pass
        together = ["".join(reading.answer(number)) for number in range(2)]
        assert held_everywhere(reading, OTHER, book.read_text())
        assert together[0] != together[1]
    with session(tiny_model).prepare([str(book)], ask_all([QUESTION, ANOTHER])) as reading:
        for _ in reading.read():
            pass
        reading._n_asked = 1  # the second alone, of the pot itself
        assert "".join(reading.answer(1)) == together[1]


def test_a_stored_pot_that_was_read_without_a_question_finds_its_passages(
    book: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    made = session(tiny_model, 0.0)
    with made.prepare([str(book)], SUMMARIZE) as reading:
        for _ in reading.read():
            pass
        save(made, reading, "book")
    said = {}
    for share in (0.0, 0.5):
        with resume(session(tiny_model, share), "@book", ask(QUESTION), []) as again:
            for _ in again.read():
                pass
            said[share] = "".join(again.answer())
            assert held_everywhere(again, FACT, book.read_text()) is (share > 0)
            assert (again.n_reread > 0) is (share > 0)


def test_the_same_question_finds_what_it_found_when_most_of_the_text_is_forgotten(
    book: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Trail, "is_long", True)
    made = session(tiny_model)
    with made.prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        n_blocks = len(reading.trail.blocks)
        reading.trail._most = 3
        save(made, reading, "book")
        assert len(reading.trail.blocks) < n_blocks
        answer, again = "".join(reading.answer()), reading.trail.again
    with resume(session(tiny_model), "@book", ask(QUESTION), []) as stored:
        for _ in stored.read():
            pass
        assert "".join(stored.answer()) == answer
        assert stored.trail.again == again != []


def test_a_conversation_looks_for_the_words_of_every_question(book: Path, tiny_model: Path) -> None:
    made = session(tiny_model)
    with made.prepare([str(book)], SUMMARIZE) as reading:
        for _ in reading.read():
            pass
        talk = Conversation(made, reading, keeps_history=False)
        for question, fact in ((QUESTION, FACT), (ANOTHER, OTHER)):
            "".join(talk.ask(question))
            best = reading.trail.again[0]
            start = best.first - len(reading.plan.prompt.prefix_ids)
            assert fact in book.read_text()[start : start + best.n_tokens], "the best is read first"


def test_passages_alone_stand_behind_the_prefix_and_nothing_else(book: Path, tiny_model: Path) -> None:
    with session(tiny_model, rest=0.0).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        n_prefix, n_seen = reading.pot.n_prefix, reading.pot.n_seen
        "".join(reading.answer())
        left = (reading.pot.origins >= n_prefix) & (reading.pot.origins < n_seen)
        assert reading.n_reread and not left.any()


def test_in_a_conversation_passages_stand_in_the_turn_of_the_question(
    book: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = session(tiny_model)
    read: list[tuple[int, ...]] = []
    for module in map(import_module, ("infinipot_cli.engine.reread", "infinipot_cli.engine.ingest")):
        whole = vars(module)["consume"]

        def watched(*words: Any, whole: Any = whole) -> Any:
            read.append(tuple(words[3]))
            return whole(*words)

        monkeypatch.setattr(module, "consume", watched)
    opening, end = tuple(made.tokenizer.encode("|opening|")), tuple(made.tokenizer.encode("|end|"))
    asked = {words: tuple(made.tokenizer.encode(f"\n\nQuestion: {words}")) for words in (QUESTION, ANOTHER)}
    with made.prepare([str(book)], SUMMARIZE) as reading:
        for _ in reading.read():
            pass
        monkeypatch.setattr(made, "turn", lambda words: Turn(opening, (*asked.get(words, ()), *end), (1, *end)))
        talk = Conversation(made, reading, keeps_history=True)
        assert talk.keeps_history
        for number, (question, fact) in enumerate(((QUESTION, FACT), (ANOTHER, OTHER))):
            n_seen, start = reading.pot.n_seen, len(read)
            "".join(talk.ask(question))
            best = next(again for again in reading.trail.again if again.origin >= n_seen)
            first = best.first - len(reading.plan.prompt.prefix_ids)
            assert fact in book.read_text()[first : first + best.n_tokens], "the best is read first"
            heads = [ids for ids in read[start:] if ids == opening]
            assert len(heads) == number, "what opens a turn stands there once, behind the first answer"
            if number:
                place = read.index(opening, start)
                assert best.origin - n_seen == len(opening) + 1 and read[place + 1][0] == made.tokenizer.encode("\n")[0]
                assert any(ids[-len(end) :] == end and asked[question] == ids[: -len(end)] for ids in read[place:])
        n_seen, start = reading.pot.n_seen, len(read)
        "".join(talk.ask("Hm?"))
        assert reading.n_reread == 0 and (*opening, 1, *end) in read[start:], "without passages the turn is as ever"


def test_a_summary_asks_for_no_words(book: Path, tiny_model: Path) -> None:
    with session(tiny_model).prepare([str(book)], SUMMARIZE) as reading:
        for _ in reading.read():
            pass
        "".join(reading.answer())
        assert reading.n_reread == 0


def test_origins_lead_back_to_the_first_reading() -> None:
    trail = Trail(2)
    trail.again = [Again(first=10, origin=50, n_tokens=3), Again(first=20, origin=53, n_tokens=2)]
    origins = torch.tensor([[[9, 10, 12, 20, 50, 51, 52, 53, 55]]])
    assert originals(trail, origins).tolist() == [[[9, 10, 12, 20, 10, 11, 12, 20, 55]]]
    assert originals_once(trail, origins).tolist() == [[[9, -1, -1, -1, 10, 11, 12, 20, 55]]]
    assert originals(Trail(2), origins) is origins


def test_overlapping_ranges_are_read_once() -> None:
    assert apart([(10, 20), (40, 50), (15, 30), (0, 5)]) == [(10, 30), (40, 50), (0, 5)]
    assert apart([(10, 20), (40, 50), (15, 45)]) == [(10, 50)]
    assert apart([(10, 20), (20, 30)]) == [(10, 20), (20, 30)], "those that only touch have an order of their own"


def test_with_span_an_answer_is_a_phrase_of_what_was_read_again_or_a_refusal(
    book: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infinipot_cli.engine.phrases.LEAST_LIKELY", 1e9)  # to a random model nothing is likely
    answers = {}
    for question in (QUESTION, ANOTHER):
        with session(tiny_model, span=True).prepare([str(book)], ask(question)) as reading:
            for _ in reading.read():
                pass
            answers[question] = "".join(reading.answer(watch=True)).strip()
            assert reading.passages()
            assert reading.n_reread and reading.n_answer
            assert answers[question] == reading.reply.strip()
    assert answers[QUESTION] in (FACT, "not in the text") or answers[QUESTION] in FACT
    assert answers[ANOTHER] in OTHER or answers[ANOTHER] == "not in the text"


@pytest.mark.parametrize(("question", "temperature"), [("Why is the zebra purple?", 0.0), (QUESTION, 0.7)])
def test_span_changes_nothing_where_nothing_is_read_again_or_words_are_drawn(
    book: Path, tiny_model: Path, question: str, temperature: float
) -> None:
    answers = []
    for span in (True, False):
        with session(tiny_model, span=span, temperature=temperature).prepare([str(book)], ask(question)) as reading:
            for _ in reading.read():
                pass
            answers.append("".join(reading.answer())[:4])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("span", [True, False])
def test_a_wrapped_passage_is_read_again_as_running_text_and_told_where_it_stands(
    tiny_model: Path, tmp_path: Path, span: bool
) -> None:
    path = tmp_path / "wrapped.txt"
    path.write_text(DULL + "\n" + FACT.replace("keeper of", "keeper\nof") + "\n" + DULL)
    with session(tiny_model, span=span).prepare([str(path)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        "".join(reading.answer())
        decode = reading.trail.ids
        held = [decode(again.first, again.first + again.n_tokens) for again in reading.trail.again]
        text = "|".join(Session(str(tiny_model)).tokenizer.decode(ids) for ids in held)
        assert "Maren Holt was made keeper" in text and "Skerry in 1873." in text
        assert ("keeper\nof" in text) == (not span) and reading.n_reread == sum(map(len, held))


def test_with_span_a_pot_whose_positions_go_on_answers_token_by_token(book: Path, tiny_model: Path) -> None:
    answers = []
    for span in (True, False):
        made = session(tiny_model, span=span)
        made.request = replace(made.request, policy_settings=(("reset", False),), max_tokens=8)
        with made.prepare([str(book)], ask(QUESTION)) as reading:
            for _ in reading.read():
                pass
            answers.append("".join(reading.answer()))
            assert reading.n_reread
    assert answers[0] == answers[1]


@pytest.mark.parametrize("keeps_history", [False, True])
def test_a_question_longer_than_the_catalyst_so_far_makes_room_by_a_distillation(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, *, keeps_history: bool
) -> None:
    """What stands in its way is the end of the document, and was never judged."""
    made, path = session(tiny_model, reread=0.0), tmp_path / "full.txt"
    plan = made.plan(SUMMARIZE)
    n_full = plan.capacity - len(plan.prompt.catalyst_ids)
    path.write_text((DULL * 2)[: n_full - len(plan.prompt.prefix_ids)], encoding="utf-8")
    module, judged = import_module("infinipot_cli.engine.distill"), list[int]()
    whole = vars(module)["distill"]

    def watched(model: Any, pot: Any, **options: Any) -> Any:
        judged.append(pot.n_held)
        return whole(model, pot, **options)

    monkeypatch.setattr(module, "distill", watched)
    with made.prepare([str(path)], SUMMARIZE) as reading:
        for _ in reading.read():
            pass
        assert reading.pot.n_held == n_full and not reading.pot.n_cycles
        talk = Conversation(made, reading, keeps_history=keeps_history)
        "".join(talk.ask("Who was it? " * 8))
        assert judged and judged[0] == n_full
        with pytest.raises(PotSizeError):
            "".join(talk.ask("Who was it? " * 20))
