"""What a measurement gives back: plain numbers, ready for a table or for JSON."""

import math
from dataclasses import asdict, dataclass

from infinipot_cli.bench.metrics import wilson

# What a family must meet: logits, and stored keys against fresh ones (in bf16 both sides are rounded twice).
FITS_BOUND = 1e-4
ROTATION_BOUND = 1e-5
ROTATION_BOUND_BF16 = 8e-3


@dataclass(frozen=True)
class Count:
    """So many right out of so many."""

    right: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the true share; (0, 1) without any trial."""
        return wilson(self.right / self.total if self.total else 0.0, self.total)


@dataclass(frozen=True)
class StreamRow:
    """Memory of one text that came through a pipe and became tokens.

    Attributes:
        n_bytes: length of the text.
        n_tokens: what it became.
        early_bytes: most resident memory up to the first ten million characters.
        late_bytes: most resident memory of the whole reading.
        seconds: wall time.
    """

    n_bytes: int
    n_tokens: int
    early_bytes: int
    late_bytes: int
    seconds: float


@dataclass(frozen=True)
class StoredRow:
    """One form of a stored pot.

    Attributes:
        form: how keys and values are written; or that they never were.
        n_tokens: document tokens read.
        n_bytes: of the file.
        n_right: right answers.
        n_equal: answers that equal those of the pot that was never stored.
        n_asked: questions.
        first_seconds: from the start of a process to the first byte of its answer, the median; None if not timed.
    """

    form: str
    n_tokens: int
    n_bytes: int
    n_right: int
    n_equal: int
    n_asked: int
    first_seconds: float | None


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of one run of the command in a process of its own.

    Attributes:
        n_tokens: document tokens read.
        n_distilled: distillations on the way.
        peak_bytes: largest resident memory of the process, libraries and weights included.
        seconds: wall time of the process.
    """

    n_tokens: int
    n_distilled: int
    peak_bytes: int
    seconds: float


@dataclass(frozen=True)
class FamilyRow:
    """What the engine was held to on one family of models.

    Attributes:
        family: what people call it.
        model_type: its name in transformers.
        trait: what it asks of the engine.
        fits: largest difference of logits from plain transformers while everything fits the pot, fp32.
        n_equal: kept sets (one per distillation, layer and KV head) equal to the reference's.
        n_compared: kept sets compared.
        n_cycles: distillations before the rotation was checked.
        rotation: relative error of stored keys against fresh ones after them, fp32.
        rotation_bf16: the same in bf16, whose own rounding is 2.7e-3.
        generation: largest difference of an answer's logits from the reference's; infinite if its tokens differ.
    """

    family: str
    model_type: str
    trait: str
    fits: float
    n_equal: int
    n_compared: int
    n_cycles: int
    rotation: float
    rotation_bf16: float
    generation: float

    @property
    def verdicts(self) -> tuple[bool, bool, bool, bool]:
        """Whether it fits, keeps, turns and answers as it must."""
        return (
            self.fits <= FITS_BOUND,
            0 < self.n_equal == self.n_compared,
            self.rotation <= ROTATION_BOUND and self.rotation_bf16 <= ROTATION_BOUND_BF16,
            self.generation <= FITS_BOUND,
        )

    def to_record(self) -> dict[str, object]:
        """For JSON, where infinity has no place and becomes null."""
        record = {name: None if value == math.inf else value for name, value in asdict(self).items()}
        return {**record, "verdicts": self.verdicts}
