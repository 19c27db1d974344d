"""Whole answers scored as LongBench's own evaluation scores them: its loop and metrics, written down once more.

The pairs are made of what trips metrics: nothing, punctuation alone, repeated words, several references, Chinese and
both languages in one answer, program lines between comments and code fences.
"""

import random
import re
import string
import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from infinipot_cli.bench.longbench_sets import SETS

ENGLISH = ["the", "The", "a", "an", "cat", "cat,", "cat.", "...", "!?", "", "it's", "U.S.", "3.5", "(so)", "–", "naïve"]
CHINESE = [
    "北京",
    "是",
    "中国的首都",
    "。",
    "，",
    "段落",
    "三",
    "段落3",
    " ",
    "\n",
    "ABC",
    "the",
    "……",
    "２",
    "“好”",
    ".",
]
NUMBERS = [
    "Paragraph 3",
    "Paragraph 12",
    "3",
    "12",
    "03",
    "paragraph 3",
    "3.0",
    "-3",
    "three",
    "",
    "段落3",
    "段落 12",
    "３",
]
CODE = ["x = 1", "  return x", "# no", "a  # b", "// c", "```", "```python", "`x`", "", "\t", "x = 1 ", "中 = 1", "/ /"]
CLASSES = ["City", "it", "Other city", "Other", "Number", "Number of something", "Ci", "城市", ""]

Metric = Callable[[str, str, Sequence[str]], float]


def words_of(text: str) -> list[str]:
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split()).split()


def chinese_words_of(text: str) -> list[str]:
    jieba = pytest.importorskip("jieba")
    marks = (
        "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟"
        "〰〾〿–—‘’‛“”„‟…‧﹏."
    )
    found = []
    for word in jieba.cut(text, cut_all=False):
        word = "".join(letter for letter in word.lower() if letter not in set(string.punctuation + marks))
        found.append("".join(word.split()))
    return [word for word in found if len(word) > 0]


def f1(given: list[str], wanted: list[str]) -> float:
    same = sum((Counter(given) & Counter(wanted)).values())
    if same == 0:
        return 0
    precision, recall = 1.0 * same / len(given), 1.0 * same / len(wanted)
    return (2 * precision * recall) / (precision + recall)


def rouge(given: str, wanted: str, _: Sequence[str]) -> float:
    package = pytest.importorskip("rouge")
    try:
        return package.Rouge().get_scores([given], [wanted], avg=True)["rouge-l"]["f"]  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        return 0.0


def rouge_zh(given: str, wanted: str, _: Sequence[str]) -> float:
    jieba = pytest.importorskip("jieba")
    return rouge(*(" ".join(jieba.cut(text, cut_all=False)) for text in (given, wanted)), _)


def fraction(given: str, wanted: str) -> float:
    numbers = re.findall(r"\d+", given)
    return sum(number == wanted for number in numbers) / len(numbers) if numbers else 0.0


def similarity(given: str, wanted: str, _: Sequence[str]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzz = pytest.importorskip("fuzzywuzzy.fuzz")
    if fuzz.SequenceMatcher.__module__ != "difflib":
        pytest.skip("python-Levenshtein gives other numbers")
    chosen = ""
    for line in given.lstrip("\n").split("\n"):
        if ("`" not in line) and ("#" not in line) and ("//" not in line):
            chosen = line
            break
    return fuzz.ratio(chosen, wanted) / 100  # type: ignore[no-any-return]


def classes(given: str, wanted: str, names: Sequence[str]) -> float:
    found = [name for name in names if name in given]
    for name in found:  # the official loop changes what it walks over
        if name in wanted and name != wanted:
            found.remove(name)
    return 1.0 / len(found) if wanted in found else 0.0


OFFICIAL: dict[str, tuple[Metric, list[str], str]] = {  # set, its metric, what answers are made of, and joined with
    "hotpotqa": (lambda g, w, _: f1(words_of(g), words_of(w)), ENGLISH, " "),
    "triviaqa": (lambda g, w, _: f1(words_of(g), words_of(w)), [*ENGLISH, "\n", "\n"], " "),
    "gov_report": (rouge, ENGLISH, " "),
    "samsum": (rouge, [*ENGLISH, "\n"], " "),
    "trec": (classes, [*CLASSES, "\n"], " "),
    "lsht": (classes, [*CLASSES, "\n"], ""),
    "passage_count": (lambda g, w, _: fraction(g, w), NUMBERS, " "),
    "passage_retrieval_en": (lambda g, w, _: fraction(g, re.findall(r"Paragraph (\d+)", w)[0]), NUMBERS, " or "),
    "passage_retrieval_zh": (lambda g, w, _: fraction(g, re.findall(r"段落(\d+)", w)[0]), NUMBERS, ""),
    "lcc": (similarity, CODE, "\n"),
    "multifieldqa_zh": (lambda g, w, _: f1(chinese_words_of(g), chinese_words_of(w)), CHINESE, ""),
    "dureader": (rouge_zh, CHINESE, ""),
}
# What a right answer must look like where the metric asks for that.
FORMS = {"passage_retrieval_en": ["Paragraph 3", "Paragraph 12", "Paragraph 03"], "passage_count": ["3", "12", "0"],
         "passage_retrieval_zh": ["段落3", "段落12"], "trec": CLASSES[:6], "lsht": CLASSES[:8]}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(OFFICIAL))
def test_answers_score_what_the_official_evaluation_gives_them(name: str) -> None:
    metric, parts, between = OFFICIAL[name]
    rng = random.Random(f"scoring {name}")

    def text() -> str:
        return between.join(rng.choices(parts, k=rng.choice((0, 1, 1, 2, 3, 7, 14))))

    n_scored = 0
    for _ in range(300):
        given, names = text(), rng.sample(CLASSES, rng.randrange(1, len(CLASSES) + 1))
        wanted = [rng.choice(FORMS[name]) if name in FORMS else text() for _ in range(rng.randrange(1, 4))]
        if name not in FORMS and rng.random() < 0.2:
            given = wanted[-1]
        shown = given.lstrip("\n").split("\n")[0] if name in ("trec", "triviaqa", "samsum", "lsht") else given
        official = max(0.0, *(metric(shown, one, names) for one in wanted))
        assert SETS[name].score(given, wanted, names) == official, (given, wanted, names)
        n_scored += official > 0
    assert n_scored > 40, "the pairs must be alike often enough to show anything"


def test_a_row_without_answers_scores_nothing() -> None:
    assert all(one.score("anything", [], []) == 0.0 for one in SETS.values())
