"""Synthetic facts: short statements of invented people, places and numbers, each with questions about its slots.

The relations and their wordings stand in `relations.txt`. Slot values are drawn from word lists or put together
from syllables, so that the reader must copy from the text: no value can be known by heart.
"""

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SLOT = re.compile(r"\{(\w+)\}")

GIVEN = (
    "Anna Bruno Clara David Edith Frank Greta Henry Ida Jonas Karen Louis Martha Niels Olive Peter Queenie Rupert Sarah "
    "Thomas Ursula Victor Walter Xenia Yvonne Zachary Agnes Barnaby Cecil Dora Ernest Flora Gideon Hester Isaac Judith "
    "Kaspar Lydia Matilda Nathan Oscar Phoebe Ralph Silas Tobias Una Vincent Wilma Amos Bertha Caleb Dinah Elias Fanny "
    "Gilbert Harriet Ivan Josephine Kate Leonard Miriam Noah Ottilie Paul Rosa Simon Tessa Ulric Vera William Ada "
    "Benjamin Catherine Daniel Emma Felix George Hannah Jack Laura Mark Nora Philip Ruth Samuel Theodore Alice Robert "
    "Mary John Elizabeth James Margaret Charles Helen Edward Jane Arthur Lucy Maria Carlos Ingrid Yusuf Mei Kenji Priya "
    "Olga Pierre Lars Sofia Omar Leila Andrei Chiara Diego Fatima Hiroshi Katya Luis Nadia"
).split()
FAMILY = (
    "Aldridge Barlow Cobb Dempsey Eastman Fairfax Goodwin Hartley Ingram Jessop Kirby Larkin Mercer Norwood Oakley "
    "Pemberton Quill Radcliffe Stanton Thornton Underhill Vance Whitlock Yardley Ashby Beckett Carver Dunmore Ellery "
    "Fenwick Grantham Holloway Ives Jarvis Kendrick Langford Merriman Nettles Ormond Penrose Quincy Rowntree Sedgwick "
    "Trask Upton Varley Winslow Abbott Brandt Castellano Dubois Eriksen Fischer Garcia Hoffmann Ivanov Jensen Kowalski "
    "Lindgren Moreau Nakamura Okafor Petrov Quist Rossi Schneider Tanaka Ueda Vogel Weber Yilmaz Zhang Smith Brown Reed "
    "Hill Stone Marsh Wood Frost Lake Dale Cook Miller Baker Turner"
).split()
WORDS: dict[str, tuple[str, ...]] = {
    "role": tuple(
        "mayor|sheriff|postmaster|harbour master|headmaster|treasurer|governor|bishop|town clerk|station master|chief judge|"
        "bailiff|librarian|abbot|warden|organist|schoolmistress|constable|coroner|bell ringer|gatekeeper|secretary|"
        "president|director|chairman|prefect|ambassador|consul|overseer|churchwarden|surveyor|archivist".split("|")
    ),
    "job": tuple(
        "baker|tailor|blacksmith|carpenter|clockmaker|cobbler|cooper|miller|weaver|painter|printer|butcher|fisherman|"
        "locksmith|nurse|lawyer|surgeon|teacher|gardener|engineer|pilot|farmer|brewer|glazier|saddler|notary|chemist|"
        "dentist|journalist|photographer|plumber|mason|potter|shepherd|barber|bookbinder|hatter|midwife|programmer".split("|")
    ),
    "thing": tuple(
        "silver watch|red lantern|leather trunk|gold ring|old map|brass key|wooden box|blue umbrella|music box|oil painting|"
        "black horse|iron chest|bag of coins|diary|telescope|fiddle|green coat|rifle|bundle of letters|glass bottle|"
        "pearl necklace|fishing boat|chess set|copper kettle|globe|sword|velvet hat|sewing machine|bicycle|compass|"
        "ivory comb|prayer book|white pony|wheelbarrow|clock|mirror|harp|snuff box|parrot cage|microscope|barometer|"
        "carpet|silk scarf|ladder|tin whistle|stone jar|ledger|crystal vase|rocking chair|candlestick|hammer|passport".split("|")
    ),
    "spot": tuple(
        "attic|cellar|well|hayloft|kitchen cupboard|church tower|old oak|barn|garden shed|chimney|bottom drawer|boathouse|"
        "library|stable|mill|third stair|henhouse|pantry|wine cellar|fireplace|wardrobe|cave|greenhouse|bridge|quarry|"
        "graveyard|windmill|bakery|orchard|south wall|writing desk|hollow tree|fountain|coal bin|stone steps".split("|")
    ),
    "building": tuple(
        "town hall|chapel|stone bridge|windmill|school|hospital|theatre|library|market hall|railway station|prison|"
        "observatory|museum|castle|monastery|brewery|paper mill|court house|bath house|granary|clock tower|dam|inn".split("|")
    ),
    "animal": tuple("dog|cat|horse|parrot|goat|donkey|pony|rabbit|raven|monkey|canary|pig|cow|fox|tortoise|owl|goose".split("|")),
    "colour": tuple("red|blue|green|yellow|black|white|grey|purple|brown|orange|pink|scarlet|dark green|light blue|gold".split("|")),
    "illness": tuple(
        "measles|scarlet fever|gout|typhus|pneumonia|a broken leg|malaria|cholera|asthma|a weak heart|toothache|influenza|"
        "snow blindness|rheumatism|jaundice|smallpox|bronchitis|a burnt hand|sleeplessness|a snake bite".split("|")
    ),
    "instrument": tuple("violin|flute|cello|trumpet|drum|harp|oboe|piano|organ|clarinet|guitar|bassoon|horn|lute|tuba".split("|")),
    "food": tuple(
        "roast duck|apple pie|onion soup|rye bread|plum cake|smoked eel|goat cheese|pea soup|fried trout|honey cake|"
        "boiled ham|rice pudding|pickled herring|potato stew|cold mutton|blackberry jam|lentils|buttered toast|porridge".split("|")
    ),
    "category": ("dish", "food", "meal"),
    "language": tuple("French|Dutch|Latin|Greek|Welsh|Polish|Turkish|Spanish|Danish|Russian|Arabic|Hebrew|Chinese|Basque".split("|")),
    "crime": tuple(
        "forgery|smuggling|theft|arson|murder|poaching|treason|fraud|piracy|perjury|bribery|kidnapping|stealing a horse|"
        "robbing a bank|selling false coins|spying".split("|")
    ),
    "invention": tuple(
        "steam plough|safety lamp|folding bed|paper press|water pump|pocket stove|mechanical loom|diving bell|typewriter|"
        "hand drill|signal rocket|sail wagon|egg timer|threshing machine|air brake|rope bridge".split("|")
    ),
    "subject": tuple("law|botany|medicine|geometry|chemistry|history|music|astronomy|theology|physics|geology|logic|Greek|drawing".split("|")),
    "system": tuple(
        "safe|vault|north gate|server room|archive|garage|mail server|locker|wine store|control panel|laboratory|printer|"
        "backup drive|alarm|router|main door|staging database|payroll".split("|")
    ),
    "vehicle": tuple("train|coach|bicycle|steamer|mule|balloon|motor car|sledge|canal boat|cart|ferry|airplane|bus|tram".split("|")),
    "relative": tuple("uncle|aunt|cousin|sister|brother|nephew|niece|grandfather|godmother|stepson|guardian|widow|father|mother|daughter".split("|")),
    "plant": tuple("apple|pear|cherry|walnut|plum|lemon|chestnut|fig|olive|birch|elm|poplar|willow|maple".split("|")),
    "contest": tuple(
        "chess tournament|boat race|singing contest|horse race|spelling bee|shooting match|poetry prize|ploughing match|"
        "flower show|swimming race|cooking contest|sculpture prize|bicycle race|debating cup".split("|")
    ),
    "noun": tuple(
        "thunder|spiders|cats|darkness|music|snow|bells|wine|mathematics|crowds|horses|lightning|onions|dancing|mirrors|"
        "apple-basket|river-stone|lantern|harvest|window|feather|garden-gate|timeout|max_retries|cache_size|region|"
        "log_level|user_id|batch|port|threshold|blue-whale|candle|marble|winter|saddle|teapot|anchor|ribbon|copper".split("|")
    ),
    "month": tuple("January February March April May June July August September October November December".split()),
    "weekday": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "season": ("spring", "summer", "autumn", "winter"),
    "component": tuple(
        "scheduler|auth|database|cache|gateway|mailer|indexer|payments|kernel|nginx|worker|replicator|backup|watchdog|dns".split("|")
    ),
    "message": tuple(
        "connection refused|disk full|timeout after 30 s|permission denied|out of memory|checksum mismatch|bad request|"
        "certificate expired|queue overflow|no route to host|file not found|lock held by another process|invalid token|"
        "replica lag too high|unexpected end of file|too many open files|division by zero|segment fault".split("|")
    ),
}
STREET = tuple("Street|Road|Lane|Square|Avenue|Row|Hill|Gate|Alley".split("|"))
ORG = tuple(
    "Society|Club|Company|Institute|Academy|Union|Bank|League|Brotherhood|Press|Guild|Choir|Trust|Museum|Laboratory|"
    "Orchestra|Party|Works|Brewery|Foundation|College|School".split("|")
)
ADJECTIVE = (
    "Royal Northern Silver Golden Old Free Western Grand Little United Black White Red Blue Green Scarlet Iron Quiet "
    "Wandering Lonely Bright Broken Hidden Distant Merry Bitter Gentle Restless Proud Crimson Frozen Second Last"
).split()
NOUN = (
    "Swan Rose Star Falcon Lion Harp Crown Wave Lantern Arrow Dolphin Raven Anchor Thistle Heron Comet River Mountain "
    "Garden Winter Shadow Bridge Mirror Tower Island Forest Dream Storm Horizon Voyage Secret Promise Orchard Tide"
).split()
ONSET = "b br c ch cl d dr f fl g gr h k kr l m n p pl r s sh sk st t th tr v w z".split()
VOWEL = "a e i o u a e i o ai ea ee ie oa oo ou y".split()
CODA = "l m n r s t d k ck ll nd ng nt rd rk rn rt sh ss st th x".split() + [""] * 9
TOWN_END = "ton ham ford by wick bury mouth field stead dorf berg stadt ville burgh port haven holm ness minster a ia o".split()
OPENERS = (
    "It is recorded that ", "As everyone knew, ", "According to the register, ", "It may be noted here that ", "In fact ",
    "They say that ", "I must add that ", "For the record: ", "It turned out that ", "Note: ", "By the way, ", "We learn that ",
)  # fmt: skip


def word(rng: random.Random, n_syllables: int) -> str:
    """A pronounceable word that means nothing."""
    return "".join(rng.choice(ONSET) + rng.choice(VOWEL) + rng.choice(CODA) for _ in range(n_syllables))


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


MAKERS = {
    "person": _name, "person2": _name, "town": _town, "town2": _town, "date": _date, "code": _code, "money": _money,
    "number": _number, "bignumber": _big, "timestamp": _timestamp,
    "smallnumber": lambda rng: str(rng.randrange(1, 40)),
    "age": lambda rng: str(rng.randrange(6, 98)),
    "year": lambda rng: str(rng.randrange(1450, 2030)),
    "key": lambda rng: str(rng.randrange(10 ** rng.choice((3, 4, 4, 4, 5)), 10 ** 6))[: rng.choice((4, 5, 5, 5, 6, 7))],
    "phone": lambda rng: f"{rng.randrange(100, 999)}-{rng.randrange(1000, 9999)}",
    "time": lambda rng: rng.choice((f"{rng.randrange(24)}:{rng.randrange(60):02d}", f"half past {rng.choice('two three six nine ten'.split())}")),
    "pet": lambda rng: word(rng, rng.choice((1, 2))).capitalize() if rng.random() < 0.6 else rng.choice(NOUN),
    "ship": lambda rng: rng.choice(ADJECTIVE) + " " + rng.choice(NOUN) if rng.random() < 0.6 else word(rng, 2).capitalize(),
    "title": lambda rng: f"The {rng.choice(ADJECTIVE)} {rng.choice(NOUN)}",
    "substance": lambda rng: word(rng, 2) + rng.choice(("ium", "ine", "ite", "ol")),
    "org": lambda rng: f"{rng.choice((_town(rng), rng.choice(ADJECTIVE)))} {rng.choice(ORG)}",
    "hill": lambda rng: rng.choice((f"Mount {word(rng, 2).capitalize()}", f"{word(rng, 1).capitalize()} Peak", f"{rng.choice(ADJECTIVE)} Hill")),
    "river": lambda rng: f"river {word(rng, rng.choice((1, 2))).capitalize()}",
    "lake": lambda rng: rng.choice((f"Lake of {word(rng, 2).capitalize()}", f"{rng.choice(ADJECTIVE)} Sea", f"gulf of {word(rng, 2).capitalize()}")),
    "country": lambda rng: word(rng, 2).capitalize() + rng.choice(("ia", "land", "stan", "ania")),
    "street": lambda rng: f"{rng.choice((word(rng, 2).capitalize(), rng.choice(NOUN), rng.choice(FAMILY)))} {rng.choice(STREET)}",
    "army": lambda rng: rng.choice((f"{rng.randrange(2, 90)}th regiment", f"army of {word(rng, 2).capitalize()}", f"{rng.choice(ADJECTIVE)} Guards")),
    "host": lambda rng: rng.choice((f"{rng.choice(('web', 'db', 'app', 'node'))}-{rng.randrange(1, 99):02d}", word(rng, 2))),
}  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """One kind of fact: statements of it and, per slot, questions that ask for the slot."""

    statements: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fact:
    """A planted statement and its questions, each with the answer that stands in the statement word for word."""

    text: str
    questions: tuple[tuple[str, str], ...]


@cache
def relations() -> tuple[Relation, ...]:
    """The relations of `relations.txt`, in file order."""
    found = []
    for block in (Path(__file__).parent / "relations.txt").read_text(encoding="utf-8").split("\n\n"):
        statements = tuple(line[2:] for line in block.splitlines() if line.startswith("S "))
        questions = []
        for line in block.splitlines():
            if line.startswith("Q "):
                slot, _, wordings = line[2:].partition(": ")
                questions += [(slot, wording) for wording in wordings.split(" | ")]
        if statements:
            found.append(Relation(statements, tuple(questions)))
    return tuple(found)


def make_fact(rng: random.Random, relation: Relation | None = None) -> Fact:
    """One random fact with every question that its wording can answer."""
    relation = relation or rng.choice(relations())
    values: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        if slot not in values:
            values[slot] = MAKERS[slot](rng) if slot in MAKERS else rng.choice(WORDS[slot])
        return values[slot]

    text = SLOT.sub(fill, rng.choice(relation.statements))
    questions = []
    for slot, wording in relation.questions:
        needed = set(SLOT.findall(wording))
        if slot in values and needed <= values.keys():
            questions.append((SLOT.sub(lambda match: values[match[1]], wording), values[slot]))
    if text[0] not in '"123456789' and text[:2] not in ("ho", "ke") and rng.random() < 0.12:
        opener = rng.choice(OPENERS)
        text = opener + (text[0].lower() + text[1:] if text.startswith(("The ", "By ", "In ", "At ", "On ", "It ", "For ")) else text)
    return Fact(text, tuple(questions))
