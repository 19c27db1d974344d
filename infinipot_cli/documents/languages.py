"""How often languages use their letters, and how likely that makes a text read in one encoding or another.

Counted in the messages of programs in these languages. Two encodings read the same bytes as different letters, and
what one of them gives is seldom what any language would write.
"""

import math
import re
from collections import Counter
from functools import cache
from itertools import pairwise

# Letters from the commonest on, by group; in each group they are e ** -0.5 times as frequent as in the one before.
_FREQUENCIES = {
    "Western": {
        "English": "- e ainort cls dfhmpu bg vwy kx - - jqz",
        "French": "- e ainrst cdlou mpé f bghv q xy jàè kzê w îô - ç â - æëïùûüÿœ",
        "German": "- e inrt adls cghou bfkmz pvwü - ä xyö - jß q",
        "Spanish": "- e ainor cdlst mpu b fgvó h qxyá jzíú k wéñ - - - - - ü",
        "Italian": "- ei anort cls dmpu g bfhvz - - kqyè w xà ò jù é - - ìíîó",
        "Portuguese": "- aeo irs cdmnt lpu fv bghã qxáç zéí ó jkyêõú w - â à ô - ü",
        "Dutch": "e - aint dors gklv bchmpu fw jz - y x - éë qï - - ó àèöü",
        "Swedish": "- - aeinrt dls fgkmo puvä bchåö y jx - - w - qz - - - é",
        "Danish": "- e inrt adklos fgmu bpv - chjyæø å - x wé - z q",
        "Norwegian": "- e ilnrt akos dfgmpuv - bhjå yø c - - x wæ - zé q - òô",
        "Finnish": "- it aenos kluä mrv dhpy j - bcfgö - wx - - z q - š åž",
        "Icelandic": "- - aeinrt kls dgmuð bfopváí hjyó æöúý þ c wxé - z - q",
        "Catalan": "- e airst cdlno mpu fg bvx hqàó é jèí yzçòú kw ï ü",
        "Irish": "- a hinr cdelost gmá bfuí péóú - - - v kwx jy z - q",
        "Albanian": "- - aeirt mnosuë dhjklp bfg cv z y qwx ç",
        "Estonian": "- ai est dklmnou rv gpä bfhjõ ü - c xö - wy š z qž",
    },
    "Central": {
        "Polish": "- - aeino rstwz cdklmpuy bgj łż fhóąćęś - ń - vxź - - q",
        "Czech": "- - aeno prstuv diklmzáí bchjy éýčř gěž fšů x - wóú ň q ť ď",
        "Slovak": "- - aeno iprstv dklmuz bchjyá éíúýčť fž gľš x - wäóôň - ďĺ - q - ŕ",
        "Hungarian": "- - aelst iknorá gmzé bcdhvy fjpuíó öő ü ú xű w - - q",
        "Slovene": "- a eino kprstv djlmz buč cg hš ž f x w y - q",
        "Croatian": "- a eino jkrst dlmpuv gz bc čš fhćž đ w xy - - q",
        "Romanian": "- e airt clnosu dmpă f bgvzşţ hî x â jkw y - - q",
    },
    "Baltic": {
        "Lithuanian": "- ai st eklnor dmpu gjvy bėšų cfį ąž hzčū wę x - q",
        "Latvian": "- a eist knoru dlmpvā gjzēī bcš f ļū hņ x wķž yģ - č q",
        "Estonian": "- ai est dklmnou rv gpä bfhjõ ü - c xö - wy š z qž",
    },
    "Turkish": {
        "Turkish": "- a eilnr dksı motuy bgzçş cpüğ fhvö - - - wx - jq - - â îû",
    },
    "Cyrillic": {
        "Russian": "- - аеино влрст дкмп зйуыья бгжч фхцю шщ - эё - ъ",
        "Ukrainian": "- - аино векрсті дзлмпуя - бгйчь жфхцє шю щї - - - - - - ґ",
        "Bulgarian": "- а еинот врс дзклп мъя бжуч гйфц хшщ - - ю - - - - - ь",
        "Belarusian": "- а н еклрыі вдзмопстуця чьэў бгй фхш жю ё",
        "Serbian": "- а еио кнрсту вдзмпј л бгчшњ цљ жфћ хђ - - - - - џ",
    },
    "Greek": {
        "Greek": "- - αεοτ ηιμνρσ ίδκλπςυ άέήγχό θφω βύ ώ ζξ - ψ - - ϊ - - ΐΰϋ",
    },
    "Hebrew": {
        "Hebrew": "- י הולת אבמנרש דפק גחטכםןסע צ זץ ך - ף",
    },
    "Arabic": {
        "Arabic": "- ال مي ةترنو بدسعف جحصقك أخطغهّ إذزشى ثض ءئ ُ ظًَِ آؤـْ - - - - ٌ",
        "Persian": "- ای درن تمهو بسشک خزفلپگ جصعق حط چ آذظغ ض - ئثژ أ ء - - ؤةىي",
    },
    "Thai": {
        # escaped, since half of them are marks that would be drawn over their neighbours
        "Thai": (
            "- - - \u0e01\u0e19\u0e21\u0e23\u0e2d\u0e32\u0e48 "
            "\u0e07\u0e14\u0e15\u0e25\u0e31\u0e35\u0e40\u0e49 "
            "\u0e02\u0e04\u0e08\u0e17\u0e1a\u0e1e\u0e22\u0e27\u0e2a\u0e2b\u0e34\u0e41\u0e44 "
            "\u0e0a\u0e1b\u0e30\u0e33\u0e37\u0e39\u0e43\u0e4c \u0e16\u0e1f\u0e38\u0e42\u0e47 "
            "\u0e0b\u0e13\u0e1c \u0e18\u0e20\u0e29\u0e36 \u0e0d\u0e10 \u0e28 \u0e09\u0e2e\u0e46 \u0e1d "
            "\u0e0f\u0e24 \u0e4a - "
            "\u0e03\u0e05\u0e06\u0e0c\u0e0e\u0e11\u0e12\u0e26\u0e2c\u0e2f\u0e3a\u0e3f\u0e45\u0e4b\u0e4d\u0e4e"
        ),
    },
}
_FIRST_STEP = 3  # of the first group: e ** -1.5 of all letters
_FOREIGN = -11.5  # natural logarithm of the share of a letter that a language has not
_UNWRITTEN = -13.0  # for what is no character at all, or a control
_SIGN = -10.0
_SEEN_SIGN = -8.0
_COMMON_SIGN = -6.5
_IN_A_WORD = -8.0  # for each sign with letters on both sides
_MIXED_WORD = -7.0  # for each change of the script in a word
_HANGING = -5.0  # for each sign behind a word that stands elsewhere
_DASHED = -3.0  # for each dash with letters on both sides
_QUOTED = 5.0  # for each pair of quotes that stand where they should
_ELIDED = 2.5  # for each apostrophe that does
_NO_WORD = -20.0  # where no two letters of another script stand together
_TURNED = -7.0  # for each capital behind a small letter
_COMMON_SIGNS = frozenset("\xa0«»‘’“”„–—…¿¡°")
_SEEN_SIGNS = frozenset("‚•·§©®™€£²³½¼±×")
_UNSEEN = "\xad\u200c\u200d\u200e\u200f"
_MIDST = re.compile(r"(?<=[^\W\d_])[^\x00-\x7f\w\s’·–—\xad\u0300-\u036f](?=[^\W\d_])|(?<=[^\W\d_])[¹²³ªº](?=[^\W\d_])")
_DASHES = re.compile(r"(?<=[^\W\d_])[–—](?=[^\W\d_])")
_QUOTES = re.compile(r"(?<![^\W_])(?:“[^“”\n]{1,300}”|‘[^‘’\n]{1,300}’)(?![^\W_])")
_ELISIONS = re.compile(r"(?<=[a-zA-Z])’(?=(?:s|t|d|m|re|ll|ve)\b|[aeiouhyàâéèêîôœæ])", re.IGNORECASE)
_HANGS = re.compile(r"(?<=[^\W\d_])[–—•‚„†‡‰](?=\s|\Z)|[‚„†‡‰•](?=[‚„†‡‰•])")
_WORD = re.compile(r"[^\W\d_\x00-\x7f]{2}")
_BEYOND = re.compile(r"[^\x00-\x7f]+")
_MIXED = re.compile(r"[a-zA-Z](?=[^\W\d_a-zA-Z])|[^\W\d_a-zA-Z](?=[a-zA-Z])")


LATIN = ("Western", "Central", "Baltic", "Turkish")  # families whose languages are written in Latin letters


@cache
def _shares(family: str) -> tuple[dict[str, float], ...]:
    """Natural logarithms of the shares of letters, for each language of a family."""
    return tuple(
        {
            letter: -(step + _FIRST_STEP) / 2
            for step, letters in enumerate(groups.split(" "))
            for letter in letters.strip("-")
        }
        for groups in _FREQUENCIES[family].values()
    )


def likelihood(text: str, family: str) -> tuple[float, float]:
    """How likely a text is in the best fitting language of a family.

    Args:
        text: read in one encoding.
        family: of languages.

    Returns:
        Natural logarithm of its likelihood, all told, and of that what falls on its characters beyond ASCII.
    """
    counts = Counter(text.lower())
    letters = [(letter, n) for letter, n in counts.items() if letter.isalpha()]
    signs = sum(n * _sign(char) for char, n in counts.items() if char > "\x7f" and not char.isalpha())
    oddities = _IN_A_WORD * len(_MIDST.findall(text)) + _TURNED * _n_turned(text)
    oddities += _HANGING * len(_HANGS.findall(text)) + _DASHED * len(_DASHES.findall(text))
    oddities += _QUOTED * len(_QUOTES.findall(text)) + _ELIDED * len(_ELISIONS.findall(text))
    best, english = (-math.inf, -math.inf), _shares("Western")[0]
    if family not in LATIN:
        oddities += _MIXED_WORD * len(_MIXED.findall(text)) + _mixture(letters)
        oddities += 0 if _WORD.search(text) else _NO_WORD
    for shares in _shares(family):
        latin = shares if family in LATIN else english
        ascii_part = sum(n * latin.get(letter, _FOREIGN) for letter, n in letters if letter < "\x7f")
        beyond = sum(n * shares.get(letter, _FOREIGN) for letter, n in letters if letter > "\x7f")
        best = max(best, (ascii_part + beyond + signs + oddities, beyond + signs + oddities))
    return best


def mean_share(text: str, family: str) -> float:
    """Natural logarithm of the share that a letter of a text has on average in the best fitting language."""
    return max(sum(shares.get(char, _FOREIGN) for char in text) / len(text) for shares in _shares(family))


def _sign(char: str) -> float:
    if char == "\ufffd" or (not char.isprintable() and not char.isspace() and char not in _UNSEEN):
        return _UNWRITTEN
    return _COMMON_SIGN if char in _COMMON_SIGNS else _SEEN_SIGN if char in _SEEN_SIGNS else _SIGN


def _mixture(letters: list[tuple[str, int]]) -> float:
    """What it takes that letters are ASCII here and not there."""
    n_all = sum(n for _, n in letters)
    n_ascii = sum(n for letter, n in letters if letter < "\x7f")
    return sum(n * math.log(n / n_all) for n in (n_ascii, n_all - n_ascii) if n)


def _n_turned(text: str) -> int:
    """Capitals behind small letters, one of the two beyond ASCII."""
    pairs = (text[max(0, match.start() - 1) : match.end() + 1] for match in _BEYOND.finditer(text))
    return sum(one.islower() and two.isupper() for part in pairs for one, two in pairwise(part))
