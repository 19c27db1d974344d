"""Every default, what the environment may change, and the sizes a user can type. No torch.

A number that a user can meet (the pot of the embedded model, the room for an answer) is written here once; help texts,
commands and benchmarks take it from here. The engine, which knows no settings, has defaults of its own.
"""

import os
import re
from dataclasses import dataclass
from enum import StrEnum

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.errors import PotSizeError, UsageError
from infinipot_cli.policies import DEFAULT, POLICY_NAMES, Settings, distills, label, listed

DEFAULT_MODEL = "pocket"
MODEL_VARIABLE = "INFINIPOT_MODEL"

POCKET_POT_SIZE = 1024
POT_SIZE = 4096
ASK_TOKENS = 64
SUMMARY_TOKENS = 128
NOVELTY_RATIO = 0.5
# Where there is a question, passages that hold its words keep up to a quarter of |C|, and are read once more before it
# is asked, which the paper's method does not know; recipe/LOG.md says what it gains. The paper's method alone is
# `--set words=0 --set reread=0`.
ASK_CHOICES = ("words=0.25", "reread=0.3")
# A small reader takes what else the pot holds for what was asked: of 24 facts in 32k tokens pocket finds 9 in the pot
# alone, 13 where a quarter of |C| stands in front of the passages, and 18 where nothing does. Even of a text that fits
# the pot it reads the best passages best, if only others about as good stand beside them, and answers best in their own
# words (recipe/LOG.md).
POCKET_CHOICES = ("rest=0", "close=0.8", "span=on")
CHUNK = 512
# Room for readings that are kept unasked.
CACHE_LIMIT = "10GiB"

# The smallest pot in which a question of one line, its answer and a line of text can meet at all. Real prompts need
# more, but this much is known without opening a model.
SMALLEST_POT = 32

_BYTES = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smh]?)", re.IGNORECASE)
_MULTIPLIERS = {"k": 1024, "m": 1024 * 1024}


class Color(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Length(StrEnum):
    """How long a summary shall be."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


# A summary that is picked: sentences of it, and tokens of the model's own that are looked at to find them.
PICKED = {Length.SHORT: 2, Length.MEDIUM: 4, Length.LONG: 10}
PICKING_TOKENS = 48

# Room for a summary and the template that asks for it.
SUMMARIES = {
    Length.SHORT: (64, "summarize-short"),
    Length.MEDIUM: (SUMMARY_TOKENS, "summarize"),
    Length.LONG: (320, "summarize-long"),
}


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest, so that answers repeat.
        top_p: share of the probability that takes part in a draw.
        seed: of the draws.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 100.0:
            raise UsageError(f"the temperature must lie between 0 and 100, not {self.temperature}")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"--top-p must be above 0 and at most 1, not {self.top_p}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"the seed must be a whole number from 0 on, not {self.seed}")


class Dtype(StrEnum):
    """Number format of weights and of what is computed with them."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


# Number formats as screens, JSON and stored pots call them.
DTYPES = {"fp32": Dtype.FLOAT32, "bf16": Dtype.BFLOAT16, "fp16": Dtype.FLOAT16}
DTYPE_NAMES = "auto, float32 (fp32), bfloat16 (bf16) or float16 (fp16)"


class Attention(StrEnum):
    """Which implementation of attention reads and answers."""

    AUTO = "auto"
    SDPA = "sdpa"
    FLASH = "flash"
    EAGER = "eager"


class Quantization(StrEnum):
    """What the weights are rounded to while they are loaded."""

    NONE = "none"
    INT8 = "int8"
    BNB_4BIT = "bnb-4bit"
    BNB_8BIT = "bnb-8bit"


class Entries(StrEnum):
    """How keys and values of a stored pot are written."""

    EXACT = "exact"
    INT8 = "int8"


_DEVICE = re.compile(r"auto|cpu|mps|cuda(:(0|[1-9]\d{0,2}))?")


@dataclass(frozen=True)
class Loading:
    """How a model is brought into memory.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: number format of the weights.
        attention: implementation of attention.
        quantize: what the weights are rounded to.
        trust_remote_code: run code that lies in the model's folder.
        allow_pickle: read weights in formats that may run code.
        think: let a model that can reason do so, and show its reasoning.
        text_only: of a model that also sees pictures or hears sound, load the language part alone.
    """

    device: str = "auto"
    dtype: Dtype = Dtype.AUTO
    attention: Attention = Attention.AUTO
    quantize: Quantization = Quantization.NONE
    trust_remote_code: bool = False
    allow_pickle: bool = False
    think: bool = False
    text_only: bool = False

    def __post_init__(self) -> None:
        if not _DEVICE.fullmatch(self.device):
            raise UsageError(
                f"there is no device {self.device!r}", hint="--device auto, cpu, cuda, cuda:1 or mps", code="no_device"
            )


@dataclass(frozen=True)
class PotRequest:
    """What the user asked of the pot; None leaves the choice to the model at hand.

    Attributes:
        capacity: most entries the pot holds (the paper's |M|), catalyst included.
        budget: entries kept by one distillation (the paper's |C|).
        novelty_ratio: share of the budget given to the most novel tokens (the paper's alpha).
        chunk: tokens per forward pass; changes memory and speed, never results while nothing was distilled.
        max_tokens: room for the answer, in tokens.
        choice: settings beyond the paper.
        policy: name of who decides what stays; None is InfiniPot, or what a stored pot was read under.
        policy_settings: of the policy's own, where they differ from its defaults.
        memory: bytes that the pot may take; the capacity is then what fits them.
        usual_capacity: where none is given, as far as the model was trained for so much.
        usual_budget: likewise, as far as the pot has room for it.
    """

    capacity: int | None = None
    budget: int | None = None
    novelty_ratio: float = NOVELTY_RATIO
    chunk: int = CHUNK
    max_tokens: int | None = None
    choice: Choice = PAPER
    policy: str | None = None
    policy_settings: Settings = ()
    memory: int | None = None
    usual_capacity: int | None = None
    usual_budget: int | None = None

    def __post_init__(self) -> None:
        self._check_policy()
        if self.capacity is not None and self.capacity < SMALLEST_POT:
            raise PotSizeError(
                f"a pot of {self.capacity} places is smaller than the prompt; {SMALLEST_POT} is the least",
                hint=f"leave -s out, or take at least -s {SMALLEST_POT * 8}",
            )
        if self.budget is not None and self.budget < 1:
            raise PotSizeError(f"the budget must be at least 1, not {self.budget}")
        if self.capacity is not None and self.budget is not None and self.budget >= self.capacity:
            raise PotSizeError(f"budget {self.budget} must be below the pot size {self.capacity}")
        if not 0.0 <= self.novelty_ratio <= 1.0:
            raise UsageError(f"the novelty ratio must lie between 0 and 1, not {self.novelty_ratio}")
        if self.chunk < 1:
            raise UsageError(f"a chunk must hold at least 1 token, not {self.chunk}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"the answer needs at least 1 token, not {self.max_tokens}")

    def check_distilling(self, what: str) -> None:
        """Refuse what needs a pot that is distilled when it is full.

        Args:
            what: the thing refused, for the message: `a stored pot`.

        Raises:
            UsageError: the policy makes room otherwise, or not at all.
        """
        name = self.policy or DEFAULT
        if not distills(name, self.policy_settings):
            others = ", ".join(other for other in POLICY_NAMES if distills(other, ()))
            raise UsageError(
                f"{what} needs a pot that is distilled when it is full, which the policy"
                f" {label(name, self.policy_settings)} never does",
                hint=f"--policy {others}",
                code="policy_limits",
            )

    def _check_policy(self) -> None:
        """Refuse wishes that mean nothing to the policy."""
        name = self.policy or DEFAULT
        policy = listed(name)
        if self.memory is not None and not distills(name, self.policy_settings):
            raise UsageError(
                f"--memory counts what a pot takes that is distilled, which the policy {name} never does",
                hint="give the pot's size in places: -s",
            )
        if self.budget is not None and not distills(name, self.policy_settings):
            raise UsageError(
                f"the policy {name} has no budget, since it distills nothing", hint="leave --budget and pot.budget out"
            )
        if self.novelty_ratio != NOVELTY_RATIO and name != DEFAULT:
            raise UsageError(
                f"the policy {name} has no share for novel tokens", hint="leave --novelty and pot.novelty out"
            )
        for setting in self.choice.changed:
            if setting not in policy.choices:
                raise UsageError(f"--set {setting} means nothing to the policy {name}", hint=f"leave {setting} out")


def usual_choices(model: str, *, knows_question: bool) -> tuple[str, ...]:
    """The settings of `Choice` that commands use which answer questions, as for `--set`.

    Args:
        model: its name.
        knows_question: whether there is a question while documents are read, not only afterwards.
    """
    asked = ASK_CHOICES if knows_question else ASK_CHOICES[1:]
    return (*asked, *(POCKET_CHOICES if model == DEFAULT_MODEL else ()))


def parse_size(text: str | int) -> int:
    """Read a size as people write it: `1024`, `4k` (4 × 1024), `1.5k`, `1m`; a default is a number already.

    Raises:
        UsageError: the text is no such size.
    """
    if isinstance(text, int):
        return text
    body, unit = text.strip().lower().replace("_", ""), 1
    if body and body[-1] in _MULTIPLIERS:
        body, unit = body[:-1], _MULTIPLIERS[body[-1]]
    try:
        value = float(body) * unit
        size = int(value)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is not a size", hint="write a number such as 1024 or 4k") from None
    if value != size:
        raise UsageError(f"{text!r} is not a whole number of tokens", hint="write a number such as 1024 or 4k")
    return size


def parse_dtype(text: str | Dtype) -> Dtype:
    """Read a number format by its name or its short name, in large letters or small: `bfloat16`, `bf16`, `BF16`.

    Raises:
        UsageError: there is none of that name.
    """
    name = text.strip().lower()
    if name in DTYPES:
        return DTYPES[name]
    if name in {*Dtype}:
        return Dtype(name)
    raise UsageError(f"there is no number format {text!r}", hint=f"--dtype {DTYPE_NAMES}", code="no_dtype")


def parse_bytes(text: str | int) -> int:
    """Read an amount of memory as people write it: `512MiB`, `2G`, `1.5 GB`; units are powers of 1024.

    Raises:
        UsageError: the text is no such amount.
    """
    if isinstance(text, int):
        return text
    found = _BYTES.fullmatch(text.strip().replace("_", ""))
    if found is None:
        raise UsageError(f"{text!r} is no size in bytes", hint="such as 512MiB or 2G")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def parse_seconds(text: str | float) -> float:
    """Read a time as people write it: `90`, `30s`, `10m`, `1.5h`; a bare number is seconds.

    Raises:
        UsageError: the text is no such time, or none at all.
    """
    if isinstance(text, int | float):
        return float(text)
    found = _TIME.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{text!r} is no time", hint="such as 30s, 10m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2].lower()]


def prepare_environment() -> None:
    """Set what must stand in the environment before torch and transformers are first imported.

    Waiting OpenMP threads spin for long by default; beside one other busy process that makes reading up to 25 times
    slower than sleeping does. Threads that sleep at once wake too late for the short products of a small model, and two
    of them read no faster than one. Spinning for some microseconds first costs a fifth beside a busy process, and gains
    two fifths where there is none. The other variables keep libraries from asking the network about models that are
    here already.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
