"""LongBench's own metrics, equal to the official evaluation to the last digit, its oddities included.

Written from their definitions, since no library may be asked to give these numbers: `rouge` is compared with in tests
only, as is `fuzzywuzzy`. Scores lie between 0 and 1. The Chinese variants cut words with jieba (`infinipot[zh]`).
"""

import difflib
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from infinipot_cli.bench.metrics import answer_words
from infinipot_cli.errors import UsageError

_NUMBER = re.compile(r"\d+")
# A program line is the first that holds none of these: no comment, no code fence.
_NO_PROGRAM = ("`", "#", "//")
_CHINESE_PUNCTUATION = (
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】"
    "〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."
)
_NO_CHINESE_WORD = str.maketrans("", "", string.punctuation + _CHINESE_PUNCTUATION)
# Most steps back through one pair of sentences. The official evaluation walks back by recursion and scores 0 where
# Python's limit of 1,000 frames ends it; its callers take the rest, one more for Chinese.
MOST_STEPS = 989
MOST_STEPS_ZH = 988


def qa_f1(given: str, wanted: str) -> float:
    """F1 of the words, after SQuAD's normalisation."""
    return overlap_f1(answer_words(given), answer_words(wanted))


def qa_f1_zh(given: str, wanted: str) -> float:
    """F1 of the words that jieba cuts, without punctuation."""
    return overlap_f1(_chinese_words(given), _chinese_words(wanted))


def overlap_f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of two multisets; 0 where they share nothing, even if both are empty."""
    n_same = sum((Counter(given) & Counter(wanted)).values())
    if not n_same:
        return 0.0
    precision, recall = n_same / len(given), n_same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def rouge_l(given: str, wanted: str, *, most_steps: int = MOST_STEPS) -> float:
    """ROUGE-L of whole texts, sentences ending at full stops.

    Every sentence of one text is compared with every sentence of the other; the distinct words of all their longest
    common subsequences are counted against the distinct words of each text.

    Args:
        given: the answer.
        wanted: the reference.
        most_steps: longest way back through a pair of sentences; beyond it the score is 0.
    """
    given_sentences, wanted_sentences = _sentences(given), _sentences(wanted)
    if not given_sentences or not wanted_sentences:
        return 0.0
    common: set[str] = set()
    for reference in wanted_sentences:
        for sentence in given_sentences:
            found = _common_words(reference, sentence, most_steps)
            if found is None:
                return 0.0
            common |= found
    recall = len(common) / len({word for sentence in wanted_sentences for word in sentence})
    precision = len(common) / len({word for sentence in given_sentences for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def rouge_l_zh(given: str, wanted: str) -> float:
    """The same over the words that jieba cuts."""
    return rouge_l(" ".join(_cut(given)), " ".join(_cut(wanted)), most_steps=MOST_STEPS_ZH)


def _sentences(text: str) -> list[list[str]]:
    """Words of each sentence; a blank sentence is one empty word, as in the official evaluation."""
    return [" ".join(piece.split()).split(" ") for piece in text.split(".") if piece]


def _common_words(first: Sequence[str], second: Sequence[str], most_steps: int) -> set[str] | None:
    """Words of one longest common subsequence: from the end, up only if that is strictly longer; None if too far."""
    table = [[0] * (len(second) + 1)]
    for one in first:
        above, row = table[-1], [0]
        for place, other in enumerate(second):
            row.append(above[place] + 1 if one == other else max(above[place + 1], row[place]))
        table.append(row)
    words, i, j, n_steps = set(), len(first), len(second), 0
    while i and j:
        n_steps += 1
        if first[i - 1] == second[j - 1]:
            words.add(first[i - 1])
            i, j = i - 1, j - 1
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return words if n_steps <= most_steps else None


def classification(given: str, wanted: str, classes: Sequence[str]) -> float:
    """One over the number of class names in the answer, if the right one is among them.

    Names that are part of the right one do not count, but the official loop removes them from the list that it walks
    and so passes over the name behind each.
    """
    found = [name for name in classes if name in given]
    place = 0
    while place < len(found):
        if found[place] in wanted and found[place] != wanted:
            found.remove(found[place])
        place += 1
    return 1.0 / len(found) if wanted in found else 0.0


def count(given: str, wanted: str) -> float:
    """Share of the numbers in the answer that are the right one."""
    numbers = _NUMBER.findall(given)
    return sum(number == wanted for number in numbers) / len(numbers) if numbers else 0.0


def retrieval(given: str, wanted: str) -> float:
    """Share of the numbers in the answer that are the right paragraph's."""
    return count(given, _paragraph(r"Paragraph (\d+)", wanted))


def retrieval_zh(given: str, wanted: str) -> float:
    """The same for Chinese, where the paragraph is called 段落."""
    return count(given, _paragraph(r"段落(\d+)", wanted))


def _paragraph(pattern: str, wanted: str) -> str:
    match = re.search(pattern, wanted)
    if match is None:
        raise UsageError(f"the wanted answer {wanted!r} names no paragraph", hint="the data are not LongBench's")
    return match[1]


def code_similarity(given: str, wanted: str) -> float:
    """Likeness of the first line of the answer that is a program line, in whole percent."""
    lines = given.lstrip("\n").split("\n")
    line = next((line for line in lines if not any(mark in line for mark in _NO_PROGRAM)), "")
    if line == wanted:
        return 1.0
    if not line or not wanted:
        return 0.0
    return round(100 * difflib.SequenceMatcher(None, line, wanted).ratio()) / 100


def _chinese_words(text: str) -> list[str]:
    normal = ("".join(word.lower().translate(_NO_CHINESE_WORD).split()) for word in _cut(text))
    return [word for word in normal if word]


def _cut(text: str) -> list[str]:
    try:
        import jieba
    except ImportError as error:
        raise UsageError(
            "the Chinese sets need jieba, which cuts words", hint="pip install 'infinipot[zh]', or leave them out"
        ) from error
    jieba.setLogLevel("ERROR")
    return list(jieba.cut(text, cut_all=False))


# What scores an answer against one wanted answer; classification besides takes the names of all classes.
METRICS: dict[str, Callable[[str, str], float]] = {
    "F1": qa_f1,
    "F1-zh": qa_f1_zh,
    "ROUGE-L": rouge_l,
    "ROUGE-L-zh": rouge_l_zh,
    "count": count,
    "retrieval": retrieval,
    "retrieval-zh": retrieval_zh,
    "similarity": code_similarity,
}
