"""LongBench's metrics against independent implementations, on generated pairs and on the official oddities."""

import json
import random
import subprocess
import sys
import textwrap
import warnings

import pytest

from infinipot_cli.bench import longbench_metrics as metrics
from infinipot_cli.bench.longbench_sets import PAPER_SETS, SETS, prompts

WORDS = "the a an cat sat on mat . . , not! The U.S. 3.5 3 e.g. it's (so) .. \n -- été 猫 a.b \t".split(" ")
CODE = ["return x", "`", "# no", "// no", "", "x = 1", "  y(x)", "for i in range(3):", "```python"]


def texts(rng: random.Random) -> str:
    return rng.choice((" ", "  ", "\n")).join(rng.choices(WORDS, k=rng.randrange(0, 30)))


def pairs(n: int) -> list[tuple[str, str]]:
    rng = random.Random(7)
    return [(texts(rng), texts(rng)) for _ in range(n)]


ODD = [
    ("the cat sat. on the mat", "the cat. lay on a mat"),
    ("", "one"),
    ("one", ""),
    (".", "one."),
    (" . ", "one . two"),
    ("..", ".."),
    ("a  b\tc", "a b c"),
    ("one two", "one two"),
]


def test_rouge_equals_the_package_that_the_official_evaluation_asks() -> None:
    rouge = pytest.importorskip("rouge").Rouge()
    scored = 0
    for given, wanted in [*ODD, *pairs(320)]:
        try:
            expected = rouge.get_scores([given], [wanted], avg=True)["rouge-l"]["f"]
        except ValueError:
            expected = 0.0
        assert metrics.rouge_l(given, wanted) == expected, (given, wanted)
        scored += expected > 0
    assert scored > 200


def test_rouge_of_the_check_value() -> None:
    assert metrics.rouge_l(*ODD[0]) == pytest.approx(0.7273, abs=5e-5)


def test_rouge_scores_nothing_where_the_official_recursion_ends() -> None:
    pytest.importorskip("rouge")
    # the frames of the official script: module, scorer, rouge_score
    script = """
        import json, sys
        from rouge import Rouge
        def rouge_score(given, wanted):
            rouge = Rouge(metrics=["rouge-l"])
            try:
                return rouge.get_scores([given], [wanted], avg=True)["rouge-l"]["f"]
            except Exception:
                return 0.0
        def scorer(pairs):
            return [rouge_score(*pair) for pair in pairs]
        print(json.dumps(scorer(json.load(sys.stdin))))
    """

    def long(n: int, stem: str = "w") -> str:
        return " ".join(f"{stem}{number}" for number in range(n))

    cases = [(f"end {long(n)}", f"{long(n, 'v')} end") for n in (480, 600)]
    cases += [(f"{long(n)}", "w0") for n in (500, 988, 989, 990, 991)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        input=json.dumps(cases), capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = json.loads(done.stdout)
    assert [metrics.rouge_l(given, wanted) for given, wanted in cases] == expected
    assert 0.0 in expected and max(expected) > 0


def test_code_similarity_equals_fuzzywuzzy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzz = pytest.importorskip("fuzzywuzzy.fuzz")
    if fuzz.SequenceMatcher.__module__ != "difflib":
        pytest.skip("python-Levenshtein gives other numbers")
    rng = random.Random(3)
    for _ in range(320):
        given = "\n".join(rng.choices(CODE, k=rng.randrange(0, 5)))
        wanted = "".join(rng.choices(rng.choice(CODE) + " xy", k=rng.randrange(0, 12)))
        line = next((one for one in given.lstrip("\n").split("\n") if not any(c in one for c in ("`", "#", "//"))), "")
        assert metrics.code_similarity(given, wanted) == fuzz.ratio(line, wanted) / 100


def test_long_lines_are_compared_with_difflibs_shortcut_for_frequent_letters() -> None:
    line = "ab" * 150
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzz = pytest.importorskip("fuzzywuzzy.fuzz")
    assert metrics.code_similarity(line + "c", "c" + line) == fuzz.ratio(line + "c", "c" + line) / 100


@pytest.mark.parametrize(
    ("given", "wanted", "score"),
    [
        ("The Cat!", "a cat", 1.0),
        ("", "", 0.0),
        ("the", "an", 0.0),
        ("blue cat", "cat", 2 / 3),
        ("cat cat", "cat", 2 / 3),
    ],
)
def test_f1(given: str, wanted: str, score: float) -> None:
    assert metrics.qa_f1(given, wanted) == pytest.approx(score)


def test_classification_passes_over_the_name_behind_one_that_it_removes() -> None:
    # "City" and "it" are parts of the right name; removing the first hides the second
    assert metrics.classification("Big City", "Big City", ["Big City", "City", "it"]) == 0.5
    assert metrics.classification("Big City", "Big City", ["Big City", "City"]) == 1.0
    assert metrics.classification("none of them", "Big City", ["Big City", "none"]) == 0.0
    assert metrics.classification("x y", "x", ["x", "y"]) == 0.5


def test_numbers() -> None:
    assert metrics.count("5 or 6, say 5", "5") == pytest.approx(2 / 3)
    assert metrics.count("none", "5") == 0.0
    assert metrics.retrieval("Paragraph 12 not 2", "Paragraph 12") == 0.5
    assert metrics.retrieval_zh("段落3", "段落3") == 1.0
    assert metrics.count("05", "5") == 0.0


@pytest.mark.filterwarnings("ignore")
def test_chinese_words_are_what_jieba_cuts_without_punctuation() -> None:
    pytest.importorskip("jieba")
    assert metrics.qa_f1_zh("北京是中国的首都。", "北京是中国的首都") == 1.0
    assert 0 < metrics.qa_f1_zh("北京", "北京是首都") < 1
    assert metrics.rouge_l_zh("今天天气很好", "今天天气很好") == pytest.approx(1.0)
    assert metrics.rouge_l_zh("今天", "明日") == 0.0


def test_every_set_has_its_prompt_and_scores_its_own_answer_full() -> None:
    texts = prompts()
    assert set(texts) == set(SETS) and len(SETS) == 21 and len(PAPER_SETS) == 16
    for name, one in SETS.items():
        assert texts[name].count("{context}") == 1
        right = {"retrieval": "Paragraph 7", "retrieval-zh": "段落7", "count": "7"}.get(one.metric, "seven")
        if one.metric.endswith("zh") and one.metric != "retrieval-zh":
            continue
        assert one.score(right, ["no", right] if "retrieval" not in one.metric else [right], [right]) == pytest.approx(
            1
        )
    assert "asconcisely" in texts["narrativeqa"]


def test_only_the_first_line_counts_where_the_official_evaluation_takes_it() -> None:
    assert SETS["triviaqa"].score("\n\nParis\nQuestion: more", ["Paris"], []) == 1.0
    assert SETS["hotpotqa"].score("Paris\nQuestion: more", ["Paris"], []) < 1.0
