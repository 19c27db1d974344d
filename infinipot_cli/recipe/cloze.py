"""Questions made of a sentence itself: a phrase is taken out, a question word put in, other words dropped or bent.

People ask few of the questions that a text can answer, and always about the same sentences. These are clumsier, but
every sentence of every text has some, and what they train is what a reader needs first: to find the words of a question
again, and to say which phrase is missing beside them. (After the noisy cloze questions of Lewis et al. 2019,
"Unsupervised Question Answering by Cloze Translation", made here by rules of our own.)
"""

import random
import re
from dataclasses import dataclass

FEWEST_WORDS, MOST_WORDS = 5, 60  # of a sentence
FEWEST_LEFT = 2  # words, not counting function words, that must stand in a question
LONGEST_PHRASE = 5
MOST_AROUND = 9  # words of the sentence on each side of the phrase

_WORD = re.compile(r"\w+(?:[-'’.,/]\w+)*%?|[^\w\s]")
_NAME, _NUMBER, _FUNCTION, _OTHER, _MARK = range(5)
_FUNCTIONS = frozenset(
    """a an the this that these those such some any each every no all both either neither other another many much more
    most few several own same of in on at by for from to with without within into onto over under between among through
    during before after above below against about around across along behind beyond near since until upon via per as
    than like and or but nor so yet if when while where whereas because although though unless whether which who whom
    whose what how why there here then thus also only just not very too even still already often never always usually
    i you he she it we they me him her us them my your his its our their himself herself itself themselves one
    is are was were be been being am has have had having do does did done can could may might must shall should will
    would let according due""".split()
)
_AUXILIARIES = frozenset("is are was were has have had can could may might must should will would".split())
_OF_PLACE = frozenset("in at near from to into across outside inside".split())
_MONTHS = frozenset("""january february march april may june july august september october november december""".split())
# A run of other words is a thing, not a deed, behind one of these.
_OF_THINGS = frozenset(
    """the a an its his her their our this these those of in by for with from on at into as and or no some any each
    every between against about under through during without than like include including is are was were be
    called""".split()
)
_OF_DEEDS = ("ed", "ly", "ing")
_STOPS = frozenset(',;:.()[]"“”—–?!')


@dataclass(frozen=True)
class _Word:
    text: str
    kind: int
    start: int
    end: int


def make_cloze(rng: random.Random, sentence: str) -> tuple[str, str] | None:
    """A question whose answer is a phrase of the sentence, and that phrase; None where there is none to ask for."""
    words = _words(sentence)
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
        return None
    phrases = _phrases(words)
    if not phrases:
        return None
    first, last = rng.choices(phrases, [_weight(words, phrase) for phrase in phrases])[0]
    if rng.random() < 0.3 and first > 0 and words[first - 1].text.casefold() in ("the", "a", "an"):
        first -= 1
    answer = sentence[words[first].start : words[last - 1].end]
    if sentence.casefold().count(answer.casefold()) != 1:
        return None
    left, right = _around(rng, words, first, last)
    if sum(word.kind not in (_FUNCTION, _MARK) for word in left + right) < FEWEST_LEFT:
        return None
    asking, left, right = _asking(rng, words[first:last], left, right)
    question, said = " ".join(_put_together(rng, asking, left, right)), sentence.casefold()
    words_left = (word for word in question.casefold().split() if word not in _FUNCTIONS)
    if sum(word in said for word in words_left) < FEWEST_LEFT:
        return None
    return question[0].upper() + question[1:] + "?", answer


def _words(sentence: str) -> list[_Word]:
    found: list[_Word] = []
    for place in _WORD.finditer(sentence):
        text = place.group()
        if not text[0].isalnum():
            kind = _MARK
        elif any(char.isdigit() for char in text):
            kind = _NUMBER
        elif text.casefold() in _FUNCTIONS:
            kind = _FUNCTION
        elif text[0].isupper() and (any(word.kind != _MARK for word in found) or len(text) > 1):
            kind = _NAME
        else:
            kind = _OTHER
        found.append(_Word(text, kind, *place.span()))
    # a capital at the beginning says nothing, unless a name goes on behind it
    for number, word in enumerate(found):
        if word.kind == _NAME:
            if number + 1 == len(found) or found[number + 1].kind != _NAME:
                found[number] = _Word(word.text, _OTHER, word.start, word.end)
            break
        if word.kind != _MARK:
            break
    return found


def _phrases(words: list[_Word]) -> list[tuple[int, int]]:
    """Runs of words of one kind: names, numbers with the month before or after them, and other words; not too long."""
    found = []
    start = 0
    while start < len(words):
        end = start + 1
        if words[start].kind in (_FUNCTION, _MARK):
            start = end
            continue
        while end < len(words) and _goes_on(words, start, end):
            end += 1
        if end - start <= LONGEST_PHRASE and (words[start].kind != _OTHER or _is_thing(words, start, end)):
            found.append((start, end))
        start = end
    return found


def _is_thing(words: list[_Word], start: int, end: int) -> bool:
    before = words[start - 1].text.casefold() if start else ""
    if end < len(words) and words[end].kind not in (_FUNCTION, _MARK):
        return False
    return before in _OF_THINGS and not words[start].text.endswith(_OF_DEEDS) and not words[end - 1].text.endswith("ly")


def _goes_on(words: list[_Word], start: int, end: int) -> bool:
    one, other = words[end - 1], words[end]
    if one.kind == other.kind:
        return True
    if _is_of_date(one) and _is_of_date(other):
        return True
    # "University of Warsaw"
    between = one.kind == _NAME and other.text in ("of", "de", "von") and end + 1 < len(words)
    return (between and words[end + 1].kind == _NAME) or (
        one.text in ("of", "de", "von") and end - 1 > start and other.kind == _NAME
    )


def _is_of_date(word: _Word) -> bool:
    return word.kind == _NUMBER or word.text.casefold() in _MONTHS


def _weight(words: list[_Word], phrase: tuple[int, int]) -> float:
    return 1.0 if words[phrase[0]].kind == _OTHER else 2.0


def _around(rng: random.Random, words: list[_Word], first: int, last: int) -> tuple[list[_Word], list[_Word]]:
    """Words on both sides: up to a stop, or beyond it."""
    start, end = first, last
    beyond = rng.random() < 0.35
    while start > 0 and first - start < MOST_AROUND and (beyond or words[start - 1].text not in _STOPS):
        start -= 1
    while end < len(words) and end - last < MOST_AROUND and (beyond or words[end].text not in _STOPS):
        end += 1
    if rng.random() < 0.4:
        start = rng.randint(start, first)
    if rng.random() < 0.4:
        end = rng.randint(last, end)
    if sum(word.kind not in (_FUNCTION, _MARK) for word in words[start:first] + words[last:end]) < FEWEST_LEFT:
        start, end = max(0, first - MOST_AROUND), min(len(words), last + MOST_AROUND)
    return words[start:first], words[last:end]


def _asking(
    rng: random.Random, phrase: list[_Word], left: list[_Word], right: list[_Word]
) -> tuple[str, list[_Word], list[_Word]]:
    """A question word that suits the phrase, and the sides less what goes into it."""
    before = left[-1].text.casefold() if left else ""
    numbers = [word for word in phrase if word.kind == _NUMBER]
    if numbers or (phrase[0].text.casefold() in _MONTHS and len(phrase) == 1):
        text = numbers[-1].text if numbers else ""
        is_year = bool(re.fullmatch(r"1\d\d\d|20\d\d", text)) or not numbers or len(phrase) > 1
        if is_year and rng.random() < 0.9:
            asking = rng.choice(
                ("When", "When", "What year", "In what year", "What date" if len(phrase) > 1 else "When")
            )
            return asking, left[:-1] if before in ("in", "on") else left, right
        if "%" in text or (right and right[0].text in ("%", "percent")):
            return rng.choice(("What percentage", "How much", "What percent")), left, right
        if right and right[0].kind == _OTHER and rng.random() < 0.7:
            n_taken = 2 if len(right) > 1 and right[1].kind == _OTHER and rng.random() < 0.5 else 1
            unit = " ".join(word.text for word in right[:n_taken])
            return f"{rng.choice(('How many', 'How many', 'How much'))} {unit}", left, right[n_taken:]
        return rng.choice(("How many", "What", "How much", "What number")), left, right
    if phrase[0].kind == _NAME:
        if before in _OF_PLACE and rng.random() < 0.7:
            return rng.choice(("Where", "Where", "In what place", "In which country", "What city")), left[:-1], right
        if left and left[-1].kind == _OTHER and rng.random() < 0.7:
            return f"{rng.choice(('Which', 'What'))} {left[-1].text}", left[:-1], right
        if right and right[0].kind == _OTHER and rng.random() < 0.3:
            return f"{rng.choice(('Which', 'What'))} {right[0].text}", left, right[1:]
        return rng.choice(("Who", "Who", "What", "Which", "What is the name of")), left, right
    if before == "by" and rng.random() < 0.5:
        return "How", left[:-1], right
    if len(phrase) > 1 and rng.random() < 0.3:
        return f"{rng.choice(('What kind of', 'What type of', 'Which', 'What'))} {phrase[-1].text}", left, right
    return rng.choice(("What", "What", "What", "Which")), left, right


def _put_together(rng: random.Random, asking: str, left: list[_Word], right: list[_Word]) -> list[str]:
    """The question's words in order."""
    if rng.random() < 0.12:  # "The bridge was built by whom in 1901?"
        low = asking[0].lower() + asking[1:]
        return [*_bent(rng, left), low, *_bent(rng, right)]
    if not any(word.kind != _MARK for word in left):
        return [asking, *_bent(rng, right)]
    place = next((number for number, word in enumerate(left) if word.text in _AUXILIARIES), None)
    if place is not None and rng.random() < 0.8:
        turned = [left[place].text, *_bent(rng, left[:place] + left[place + 1 :])]
    else:
        turned = [rng.choice(("did", "did", "does", "do", "was", "is", "are")), *_bent(rng, left, stems=0.6)]
    return [asking, *turned, *_bent(rng, right)]


def _bent(rng: random.Random, words: list[_Word], stems: float = 0.12) -> list[str]:
    """Words less some, now and then without their ending or in another order."""
    found = list[str]()
    for word in words:
        if word.kind == _MARK:
            if word.text in (",", "'") and rng.random() < 0.15 and found:
                found[-1] += word.text
            continue
        if rng.random() < (0.25 if word.kind == _FUNCTION else 0.1):
            continue
        text = word.text
        if word.kind == _FUNCTION or (word.kind == _OTHER and word.start == 0):
            text = text.casefold()
        if word.kind == _OTHER and rng.random() < stems:
            text = re.sub(r"(?<=\w{3})(ied|ies|ed|es|ing|(?<!s)s)\Z", "", text)
        found.append(text)
    if len(found) > 2 and rng.random() < 0.15:
        at = rng.randrange(len(found) - 1)
        found[at], found[at + 1] = found[at + 1], found[at]
    return found
