"""What invented facts are made of: names, places, numbers, codes and the word lists of `words.txt`.

Values are drawn from lists or put together from syllables, so that the reader must copy from the text: no value can
be known by heart.
"""

import random
from collections.abc import Callable
from pathlib import Path


def _lists() -> dict[str, tuple[str, ...]]:
    lines = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split("\n")
    named = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: tuple(values.split("|")) for name, _, values in named}


WORDS = _lists()
GIVEN, FAMILY, STREET, ORG = (WORDS[name] for name in ("GIVEN", "FAMILY", "STREET", "ORG"))
ADJECTIVE, NOUN, OPENERS = (WORDS[name] for name in ("ADJECTIVE", "NOUN", "OPENERS"))
ONSET, VOWEL, CODA, TOWN_END = (WORDS[name] for name in ("ONSET", "VOWEL", "CODA", "TOWN_END"))


def word(rng: random.Random, n_syllables: int) -> str:
    """A pronounceable word that means nothing."""
    return "".join(rng.choice(ONSET) + rng.choice(VOWEL) + rng.choice(CODA) for _ in range(n_syllables))


def _proper(rng: random.Random, n_syllables: int) -> str:
    return word(rng, n_syllables).capitalize()


def _name(rng: random.Random) -> str:
    given = rng.choice(GIVEN) if rng.random() < 0.75 else word(rng, rng.choice((1, 2))).capitalize()
    if rng.random() < 0.12:
        return given
    family = rng.choice(FAMILY) if rng.random() < 0.5 else word(rng, rng.choice((1, 2, 2))).capitalize()
    title = rng.choice(("Mr. ", "Mrs. ", "Miss ", "Dr. ", "Captain ", "Lady ", "Sir ")) if rng.random() < 0.1 else ""
    return f"{title}{given} {family}"


def _town(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return rng.choice(("Port ", "New ", "Saint ", "Upper ", "East ", "Bad ")) + word(rng, 2).capitalize()
    return (word(rng, rng.choice((1, 1, 2))) + rng.choice(TOWN_END)).capitalize()


def _code(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return str(rng.randrange(100, 1_000_000))
    if kind == 1:
        return word(rng, 2) + str(rng.randrange(10, 100))
    if kind == 2:
        return f"{rng.choice('ABCDEFGHKLMNPRSTXZ')}{rng.choice('ABCDEFGHKLMNPRSTXZ')}-{rng.randrange(100, 10000)}"
    return rng.choice(GIVEN + NOUN).lower() + "-" + rng.choice(NOUN).lower()


def _timestamp(rng: random.Random) -> str:
    day = f"{rng.randrange(1999, 2031)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    return f"{day} {rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"


def _date(rng: random.Random) -> str:
    month, day, year = rng.choice(WORDS["month"]), rng.randrange(1, 31), rng.randrange(1500, 2030)
    return rng.choice((f"{day} {month} {year}", f"{month} {day}, {year}", f"the {day}th of {month}", f"{day} {month}"))


def _money(rng: random.Random) -> str:
    amount = rng.choice((rng.randrange(2, 100), rng.randrange(100, 10_000)))
    unit = rng.choice(("pounds", "dollars", "guineas", "francs", "shillings", "crowns", "euros"))
    return rng.choice((f"{amount} {unit}", f"{amount} {unit}", f"${amount}"))


def _number(rng: random.Random) -> str:
    small = "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty".split()
    return rng.choice(small) if rng.random() < 0.25 else str(rng.randrange(2, 999))


def _big(rng: random.Random) -> str:
    value = rng.randrange(1_000, 900_000)
    return f"{value:,}" if rng.random() < 0.6 else str(value)


def _key(rng: random.Random) -> str:
    n_digits = rng.choice((4, 5, 5, 5, 6, 7))
    return str(rng.randrange(10 ** (n_digits - 1), 10**n_digits))


def _time(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return f"{rng.randrange(24)}:{rng.randrange(60):02d}"
    return f"half past {rng.choice('two three six nine ten'.split())}"


def _ship(rng: random.Random) -> str:
    return f"{rng.choice(ADJECTIVE)} {rng.choice(NOUN)}" if rng.random() < 0.6 else _proper(rng, 2)


def _pet(rng: random.Random) -> str:
    return _proper(rng, rng.choice((1, 2))) if rng.random() < 0.6 else rng.choice(NOUN)


def _hill(rng: random.Random) -> str:
    return rng.choice((f"Mount {_proper(rng, 2)}", f"{_proper(rng, 1)} Peak", f"{rng.choice(ADJECTIVE)} Hill"))


def _lake(rng: random.Random) -> str:
    names = (f"Lake of {_proper(rng, 2)}", f"{rng.choice(ADJECTIVE)} Sea", f"gulf of {_proper(rng, 2)}")
    return rng.choice(names)


def _street(rng: random.Random) -> str:
    return f"{rng.choice((_proper(rng, 2), rng.choice(NOUN), rng.choice(FAMILY)))} {rng.choice(STREET)}"


def _army(rng: random.Random) -> str:
    names = (f"{rng.randrange(2, 90)}th regiment", f"army of {_proper(rng, 2)}", f"{rng.choice(ADJECTIVE)} Guards")
    return rng.choice(names)


def _host(rng: random.Random) -> str:
    return rng.choice((f"{rng.choice(('web', 'db', 'app', 'node'))}-{rng.randrange(1, 99):02d}", word(rng, 2)))


def _nickname(rng: random.Random) -> str:
    noun, adjective = rng.choice(NOUN), rng.choice(ADJECTIVE)
    return rng.choice((f"the {adjective} {noun}", f"Old {_proper(rng, 1)}", _proper(rng, 1), f"{adjective} {noun}"))


def _duration(rng: random.Random) -> str:
    unit = rng.choice(("days", "weeks", "months", "years", "hours", "nights"))
    return f"{rng.choice((_count(rng), str(rng.randrange(2, 60))))} {unit}"


def _count(rng: random.Random) -> str:
    return rng.choice("two three four five six seven eight nine ten eleven twelve".split())


def _distance(rng: random.Random) -> str:
    unit = rng.choice(("miles", "miles", "leagues", "yards", "kilometres", "paces"))
    return f"{rng.choice((_count(rng), str(rng.randrange(2, 300))))} {unit}"


def _measure(rng: random.Random) -> str:
    unit = rng.choice("ounces pints pounds spoonfuls cups grams handfuls gallons".split())
    return f"{rng.choice((_count(rng), str(rng.randrange(2, 90))))} {unit}"


def _quantity(rng: random.Random) -> str:
    return f"{_number(rng)} {rng.choice(WORDS['unit_of'])}"


def _inn(rng: random.Random) -> str:
    nouns = (rng.choice(NOUN), rng.choice(WORDS["animal"]).capitalize())
    return rng.choice((f"{rng.choice(ADJECTIVE)} {nouns[1]}", f"{nouns[0]} and {nouns[1]}", f"{_town(rng)} Arms"))


def _newspaper(rng: random.Random) -> str:
    kind = rng.choice("Gazette Herald Courier Mercury Chronicle Observer Post Times Examiner".split())
    return f"{rng.choice((_town(rng), rng.choice(ADJECTIVE)))} {kind}"


def _combination(rng: random.Random) -> str:
    parts = [str(rng.randrange(1, 100)) for _ in range(rng.choice((3, 3, 4)))]
    return rng.choice(("-", " ", "/")).join(parts)


def _watchword(rng: random.Random) -> str:
    words = (rng.choice(NOUN).lower(), rng.choice(WORDS["flower"]), word(rng, 2), rng.choice(WORDS["motto"]).lower())
    return rng.choice(words)


def _path(rng: random.Random) -> str:
    folders = "api data users reports images var tmp home orders static".split()
    return "/" + "/".join((rng.choice(folders), word(rng, rng.choice((1, 2)))))


def _ip(rng: random.Random) -> str:
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4))


def _version(rng: random.Random) -> str:
    numbers = ".".join(str(rng.randrange(0, 24)) for _ in range(3))
    return rng.choice(("", "v")) + numbers


def _hexid(rng: random.Random) -> str:
    return f"{rng.randrange(16**7):07x}"


def _commit_message(rng: random.Random) -> str:
    verb = rng.choice("fix remove rename document speed up test bump revert".replace("speed up", "simplify").split())
    return f"{verb} {rng.choice(WORDS['service'])} {rng.choice(('cache', 'timeout', 'parser', 'retry', 'schema'))}"


def _filename(rng: random.Random) -> str:
    return f"{word(rng, 2)}.{rng.choice('txt csv json log py pdf png yaml'.split())}"


def _email(rng: random.Random) -> str:
    return f"{rng.choice(GIVEN).lower()}.{word(rng, 2)}@{word(rng, 2)}.{rng.choice(('org', 'com', 'net', 'example'))}"


def _plate(rng: random.Random) -> str:
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTX") for _ in range(2))
    return f"{letters} {rng.randrange(10, 9999)}"


def _decimal(rng: random.Random) -> str:
    return f"{rng.randrange(-20, 99)}.{rng.randrange(10)}"


def _orderid(rng: random.Random) -> str:
    return rng.choice((f"#{rng.randrange(100, 99999)}", f"{rng.choice('ABKQRT')}{rng.randrange(1000, 99999)}"))


def _god(rng: random.Random) -> str:
    return _proper(rng, rng.choice((1, 2))) + rng.choice(("", "os", "ur", "a"))


def _percent(rng: random.Random) -> str:
    return rng.choice((f"{rng.randrange(2, 99)} per cent", f"{rng.randrange(2, 99)}%"))


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "person": _name,
    "person2": _name,
    "town": _town,
    "town2": _town,
    "date": _date,
    "code": _code,
    "money": _money,
    "number": _number,
    "bignumber": _big,
    "timestamp": _timestamp,
    "key": _key,
    "time": _time,
    "pet": _pet,
    "ship": _ship,
    "hill": _hill,
    "lake": _lake,
    "street": _street,
    "army": _army,
    "host": _host,
    "smallnumber": lambda rng: str(rng.randrange(1, 40)),
    "count": _count,
    "days": lambda rng: str(rng.randrange(9, 90)),
    "given": lambda rng: rng.choice((rng.choice(GIVEN), _proper(rng, 2))),
    "family": lambda rng: rng.choice((rng.choice(FAMILY), _proper(rng, 2))),
    "age": lambda rng: str(rng.randrange(6, 98)),
    "year": lambda rng: str(rng.randrange(1450, 2030)),
    "phone": lambda rng: f"{rng.randrange(100, 999)}-{rng.randrange(1000, 9999)}",
    "title": lambda rng: f"The {rng.choice(ADJECTIVE)} {rng.choice(NOUN)}",
    "substance": lambda rng: word(rng, 2) + rng.choice(("ium", "ine", "ite", "ol")),
    "org": lambda rng: f"{rng.choice((_town(rng), rng.choice(ADJECTIVE)))} {rng.choice(ORG)}",
    "river": lambda rng: f"river {_proper(rng, rng.choice((1, 2)))}",
    "country": lambda rng: _proper(rng, 2) + rng.choice(("ia", "land", "stan", "ania")),
    "country2": lambda rng: _proper(rng, 2) + rng.choice(("ia", "mark", "burg", "onia")),
    "money2": _money,
    "org2": lambda rng: f"{_proper(rng, 2)} {rng.choice(ORG)}",
    "nickname": _nickname,
    "duration": _duration,
    "distance": _distance,
    "measure": _measure,
    "quantity": _quantity,
    "inn": _inn,
    "newspaper": _newspaper,
    "combination": _combination,
    "watchword": _watchword,
    "path": _path,
    "ip": _ip,
    "version": _version,
    "hexid": _hexid,
    "commit_message": _commit_message,
    "filename": _filename,
    "email": _email,
    "plate": _plate,
    "decimal": _decimal,
    "orderid": _orderid,
    "god": _god,
    "percent": _percent,
    "comet": lambda rng: _proper(rng, rng.choice((1, 2))) + rng.choice(("", f"-{rng.randrange(2, 99)}")),
    "flight": lambda rng: f"{rng.choice('ABKLQTX')}{rng.choice('AFHRZ')} {rng.randrange(10, 9000)}",
    "http": lambda rng: rng.choice(("200", "201", "204", "301", "403", "404", "409", "429", "500", "502", "503")),
    "port_number": lambda rng: str(rng.randrange(1024, 65000)),
    "amount": lambda rng: f"{rng.randrange(2, 900)}.{rng.randrange(100):02d}",
    "sensor": lambda rng: f"{rng.choice('abcdkmtxz')}{rng.randrange(10, 999)}",
    "measure_data": lambda rng: f"{rng.randrange(2, 900)} {rng.choice(('kB', 'MB', 'GB'))}",
    "setting_key": lambda rng: f"{word(rng, 1)}_{rng.choice(('limit', 'size', 'timeout', 'level', 'port', 'count'))}",
    "coin_count": lambda rng: f"{_count(rng)} {rng.choice(('pennies', 'tokens', 'sixpences', 'copper coins'))}",
}
