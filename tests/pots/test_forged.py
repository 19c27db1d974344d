"""A pot whose sum is right and whose content can be no pot's is refused in one line, exit 6, and never used."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.errors import PotError
from infinipot_cli.pots import file, shelf
from infinipot_cli.resume import header_of, model_of, resume
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import Loading
from tests.pots.forging import Change, forged, reheaded

Tensors = dict[str, Tensor]
Content = dict[str, Any]


@pytest.fixture(scope="module")
def pots(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, Path]:
    """A distilled pot of two documents, exact, in 8 bits, in half precision, and of a policy with votes."""
    folder = tmp_path_factory.mktemp("forged")
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(f"The pass key of {name} is 71432. " * 30, "utf-8")
    sources = [str(folder / "one.txt"), str(folder / "two.txt")]
    kinds = {
        "exact": [],
        "int8": ["--pot-entries", "int8"],
        "half": ["--dtype", "bfloat16"],
        "votes": ["--policy", "tova"],
    }
    for name, more in kinds.items():
        words = ["read", *sources, "--save-pot", str(folder / f"{name}.pot"), "-s", "300", "-m", str(tiny_model)]
        result = CliRunner().invoke(app, [*words, "-q", *more])
        assert result.exit_code == 0, result.output
    return {name: folder / f"{name}.pot" for name in kinds}


@pytest.fixture(scope="module")
def sessions(tiny_model: Path) -> dict[str, Session]:
    return {}


def used(path: Path, sessions: dict[str, Session], kind: str) -> None:
    """Do what an answer needs of a stored pot, with a model that is loaded once."""
    name = str(path)
    model, loading = model_of(name, "", was_chosen=False, loading=Loading())
    if kind not in sessions:
        sessions[kind] = Session(model, loading=loading)
    session, wished = sessions[kind], sessions[kind].request
    try:
        with resume(session, name, ask("Who?")) as reading:
            for _ in reading.read():
                pass
    finally:
        session.request = wished


def number(name: str, value: object) -> Change:
    return lambda content, _: content["numbers"].update({name: value})


def field(name: str, value: object) -> Change:
    return lambda content, _: content.update({name: value})


def source(name: str, value: object) -> Change:
    return lambda content, _: content["sources"][1].update({name: value})


def mark(name: str, value: object) -> Change:
    return lambda content, _: content["fingerprint"].update({name: value})


def tensor(name: str, change: Callable[[Tensor], Tensor]) -> Change:
    return lambda _, tensors: tensors.update({name: change(tensors[name]).contiguous()})


def without(*names: str) -> Change:
    return lambda _, tensors: [tensors.pop(name) for name in names]


def with_more(name: str, made: Tensor) -> Change:
    return lambda _, tensors: tensors.update({name: made})


def filled(value: float) -> Callable[[Tensor], Tensor]:
    def change(held: Tensor) -> Tensor:
        held = held.clone()
        held.view(-1)[-1] = value
        return held

    return change


def trail(change: Callable[[Content], object]) -> Change:
    import zlib

    def changed(_: Content, tensors: Tensors) -> None:
        held = json.loads(zlib.decompress(tensors["trail"].numpy().tobytes()))
        change(held)
        data = zlib.compress(json.dumps(held).encode())
        tensors["trail"] = torch.frombuffer(bytearray(data), dtype=torch.uint8)

    return changed


def asides(data: bytes) -> Change:
    return lambda _, tensors: tensors.update({"asides": torch.frombuffer(bytearray(data), dtype=torch.uint8)})


SENSELESS: dict[str, Change] = {
    **{f"{name} {value}": number(name, value)
       for name in ("capacity", "budget", "n_prefix", "n_seen", "n_seen_distilled", "n_cycles", "peak")
       for value in (-1, 1.5, True, None, "7", 2**60, [])},
    **{f"novelty_ratio {value}": number("novelty_ratio", value) for value in (-0.1, 1.1, None, "x", True, math.nan)},
    **{f"catalyst {value}": number("catalyst_ids", value) for value in ([], [-1], [10**6], ["a"], [True], 3, None)},
    **{f"choice {value}": number("choice", value)
       for value in (None, [], {"pool": 2}, {"pool": 1.5}, {"pool": "x"}, {"decay": 9}, {"x": 1}, {"fill": 1},
                     {"decay": math.nan})},
    **{f"{name} {value}": number(name, value) for name in ("pinned", "favoured")
       for value in (3, [3], [[1]], [[3, 2]], [[1, 5], [4, 6]], [[-1, 5]], [[0.5, 5]], [["a", "b"]])},
    **{f"policy {name} {settings}": lambda content, _, name=name, settings=settings: content["numbers"].update(
        {"policy": name, "policy_settings": settings})
       for name, settings in (("none", {}), (3, {}), ("h2o", {}), ("full", {}), ("infinipot", {"x": 1}),
                              ("infinipot", {"cap": 3}), ("infinipot", []), ("tova", {"official": True}),
                              ("tova", {}))},
    "a number more": number("another", 1),
    "no numbers": field("numbers", {}),
    "budget of all": lambda content, _: content["numbers"].update({"budget": content["numbers"]["capacity"]}),
    "larger than the model": lambda content, _: content["numbers"].update({"capacity": 5000, "peak": 300}),
    "smaller than what is held": number("capacity", 120),
    "seen less than held": number("n_seen", 10),
    "one more in front": field("prefix_ids", [1, 2, 3, 4, 5, 6, 7, 8]),
    **{f"{name} {value}": field(name, value)
       for name, value in (("entries", "int4"), ("entries", "int8"), ("entries", 1), ("created", math.nan),
                           ("created", True), ("questions", [3]), ("questions", {}),
                           ("prefix_ids", [True]), ("prefix_ids", ["1"]), ("sources", {}), ("catalyst", 3))},
    **{f"source {name} {value}": source(name, value)
       for name, value in (("n_tokens", 10**6), ("n_tokens", 1.0), ("first_token", 0), ("pages", [["1", -1]]),
                           ("pages", [["1", 900], ["2", 800]]), ("pages", [[1, 900]]), ("pages", 3), ("more", 1))},
    **{f"fingerprint {name} {value}": mark(name, value)
       for name, value in (("dtype", "fp16"), ("dtype", "fp99"), ("dtype", "bf16"), ("weights", "x"), ("more", "x"))},
    **{f"{name} {value}": tensor(name, filled(value))
       for name in ("keys.0", "values.1", "last_state", "novelty") for value in (math.nan, math.inf, -math.inf)},
    "endless novelty twice": tensor("novelty", filled(math.inf)),
    "origins reversed": tensor("origins", lambda held: held.flip(-1)),
    "origins negative": tensor("origins", lambda held: held - 1),
    "origins float": tensor("origins", lambda held: held.float()),
    "origins int32": tensor("origins", lambda held: held.int()),
    "origins twice": tensor("origins", lambda held: torch.cat((held[..., :1], held[..., :-1]), -1)),
    "origins to come": tensor("origins", filled(10**6)),
    "origins without the prefix": tensor("origins", lambda held: held + 1),
    "origins of one head": tensor("origins", lambda held: held[:, :1]),
    "origins of three layers": tensor("origins", lambda held: torch.cat((held, held[:1]))),
    **{f"{name} of fewer": tensor(name, lambda held: held[..., :-1])
       for name in ("origins", "novelty", "last_state", "keys.0", "values.1")},
    **{f"{name} of fewer entries": tensor(name, lambda held: held[:, :, :-1]) for name in ("keys.0", "values.1")},
    **{f"{name} of one head": tensor(name, lambda held: held[:, :1]) for name in ("keys.0", "values.1")},
    **{f"{name} of two batches": tensor(name, lambda held: torch.cat((held, held))) for name in ("keys.0", "values.1")},
    **{f"{name} in {dtype}": tensor(name, lambda held, dtype=dtype: held.to(dtype))
       for name in ("keys.0", "values.1", "novelty", "last_state", "trail", "asides")
       for dtype in (torch.float16, torch.float64, torch.int8, torch.bool)},
    **{f"no {name}": without(name) for name in ("origins", "novelty", "last_state", "keys.0", "values.1")},
    "no layer": without("keys.1", "values.1"),
    "nothing": lambda _, tensors: tensors.clear(),
    "a layer more": lambda _, tensors: tensors.update({f"{name}.2": tensors[f"{name}.1"].clone()
                                                       for name in ("keys", "values")}),
    **{f"{name} more": with_more(name, torch.zeros(3)) for name in ("x", "votes", "scale.keys.0", "keys.x")},
    "keys before rotation in full precision": lambda _, tensors: tensors.update(
        {"unrotated.0": tensors["keys.0"].clone()}),
    "trail of nothing": lambda _, tensors: tensors.update({"trail": torch.zeros(9, dtype=torch.uint8)}),
    "trail in two dimensions": tensor("trail", lambda held: held[None]),
    "trail of other ids": trail(lambda held: held["blocks"][0][2].__setitem__(0, 10**6)),
    "trail of negative ids": trail(lambda held: held["blocks"][0][2].__setitem__(0, -1)),
    "trail of another document": trail(lambda held: held["blocks"][0].__setitem__(1, 7)),
    "trail in disorder": trail(lambda held: held["blocks"].reverse()),
    "trail of fewer characters": trail(lambda held: held["blocks"][0].__setitem__(4, "x")),
    "trail of fewer places": trail(lambda held: held["blocks"][0][3].pop()),
    "trail of nothing read": trail(lambda held: held["blocks"][0].__setitem__(2, [])),
    "trail ahead of the pot": trail(lambda held: held.update(next=10**6)),
    "trail without documents": trail(lambda held: held.update(documents=[])),
    **{f"trail of lines {lines}": trail(lambda held, lines=lines: held.update(lines=[lines, lines]))
       for lines in ([], [[]], [[2, 1]], [[1, 5], [5, 9]][::-1], [[1, None], [7, 9]], [[None, 3]], [["x", 3]], 3)},
    "trail of the lines of one document": trail(lambda held: held["lines"].pop()),
    "trail of lists": trail(lambda held: held.update(blocks=3)),
    "asides of nothing": asides(b"{}"),
    "asides twice": asides(b'{"warnings":[],"found":{},"found":{}}'),
    "asides of another document": asides(json.dumps({"warnings": [], "found": {"Who?": {"passages": [], "best": [
        {"document": 9, "char": [0, 4], "origins": [0, 2], "line": 1, "quote": "x"}]}}}).encode()),
    "asides of tokens to come": asides(json.dumps({"warnings": [], "found": {"Who?": {
        "best": [], "passages": [[0, 10**9]]}}}).encode()),
    "asides of half a passage": asides(json.dumps({"warnings": [], "found": {"Who?": {
        "best": [], "passages": [[3]]}}}).encode()),
    "asides of no passages": asides(json.dumps({"warnings": [], "found": {"Who?": []}}).encode()),
}  # fmt: skip

IN_EIGHT_BITS: dict[str, Change] = {
    "no scale": without("scale.keys.0"),
    "a scale too many": lambda _, tensors: tensors.update({"scale.keys.9": tensors["scale.keys.0"].clone()}),
    "scale that is none": tensor("scale.keys.0", filled(math.nan)),
    "scale of nothing": tensor("scale.keys.0", filled(0.0)),
    "scale of fewer": tensor("scale.values.1", lambda held: held[:, :, :-1]),
    "scale in half": tensor("scale.values.1", lambda held: held.half()),
    "entries as floats": tensor("keys.0", lambda held: held.float()),
    "said to be exact": field("entries", "exact"),
}
IN_HALF: dict[str, Change] = {
    "no keys before rotation": without("unrotated.1"),
    "more keys before rotation": tensor("unrotated.1", lambda held: torch.cat([held] * 9, 2)),
    "none of them": tensor("unrotated.1", lambda held: held[:, :, :0]),
    "entries in full": tensor("values.0", lambda held: held.float()),
    "said to be in full": mark("dtype", "fp32"),
}
WITH_VOTES: dict[str, Change] = {
    "no votes": without("votes"),
    "votes of fewer": tensor("votes", lambda held: held[..., :5]),
    "votes that are none": tensor("votes", filled(math.nan)),
}
CASES = [
    *(("exact", name, change) for name, change in SENSELESS.items()),
    *(("int8", name, change) for name, change in IN_EIGHT_BITS.items()),
    *(("half", name, change) for name, change in IN_HALF.items()),
    *(("votes", name, change) for name, change in WITH_VOTES.items()),
]


@pytest.mark.parametrize("kind", ["exact", "int8", "half", "votes"])
def test_a_pot_that_was_only_sealed_again_is_used(
    pots: dict[str, Path], sessions: dict[str, Session], tmp_path: Path, kind: str
) -> None:
    forged(pots[kind], tmp_path / "same.pot", lambda content, tensors: None)
    used(tmp_path / "same.pot", sessions, kind)


@pytest.mark.parametrize(("kind", "change"), [(kind, change) for kind, _, change in CASES],
                         ids=[f"{kind}: {name}" for kind, name, _ in CASES])  # fmt: skip
def test_what_no_pot_can_hold_is_refused_in_one_line(
    pots: dict[str, Path], sessions: dict[str, Session], tmp_path: Path, kind: str, change: Change
) -> None:
    forged(pots[kind], tmp_path / "forged.pot", change)
    with pytest.raises(PotError) as caught:
        used(tmp_path / "forged.pot", sessions, kind)
    assert caught.value.exit_code == 6
    assert "\n" not in caught.value.message


DOUBLED = {
    "the file's metadata": (b'{"__metadata__":', b'{"__metadata__":{"infinipot":"{}"},"__metadata__":'),
    "the pot's header": (b'"infinipot":"', b'"infinipot":"{}","infinipot":"'),
    "a field of it": (b'\\"catalyst\\":', b'\\"catalyst\\":\\"x\\",\\"catalyst\\":'),
    "a number": (b'\\"capacity\\":', b'\\"capacity\\":90,\\"capacity\\":'),
    "metadata of somebody else": (b'{"__metadata__":{', b'{"__metadata__":{"x":"y",'),
    "NaN": (b'\\"created\\":', b'\\"created\\":NaN,\\"x\\":'),
}


@pytest.mark.parametrize(("before", "after"), DOUBLED.values(), ids=DOUBLED)
def test_a_header_that_says_two_things_is_refused(
    pots: dict[str, Path], tmp_path: Path, before: bytes, after: bytes
) -> None:
    def change(head: bytes) -> bytes:
        assert before in head
        return head.replace(before, after, 1)

    reheaded(pots["exact"], tmp_path / "doubled.pot", change)
    for look in (file.read, file.read_header):
        with pytest.raises(PotError):
            look(tmp_path / "doubled.pot", "@doubled")


@pytest.mark.parametrize("change", [number("capacity", -1), tensor("origins", lambda held: held.flip(-1))])
def test_the_command_line_ends_with_6_and_one_line(pots: dict[str, Path], tmp_path: Path, change: Change) -> None:
    forged(pots["exact"], tmp_path / "forged.pot", change)
    result = CliRunner().invoke(app, ["ask", f"@{tmp_path / 'forged.pot'}", "Who?", "-q"])
    assert (result.exit_code, result.stdout) == (6, "")
    assert sum(line.startswith("error:") for line in result.output.splitlines()) == 1
    assert "bug" not in result.output


def test_what_was_summed_is_what_is_used(
    pots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "a.pot", tmp_path / "b.pot"
    path.write_bytes(pots["exact"].read_bytes())
    forged(path, other, tensor("keys.0", lambda held: held * 0))
    wanted = file.read(path, "@a")[1].tensors["keys.0"].clone()
    check = file._check_sum

    def swap(*words: Any) -> None:
        check(*words)
        other.replace(path)

    monkeypatch.setattr(file, "_check_sum", swap)
    assert torch.equal(file.read(path, "@a")[1].tensors["keys.0"], wanted)


def test_a_list_shows_a_forged_header_as_damaged(
    pots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    shelf.shelf_folder().mkdir(parents=True)
    forged(pots["exact"], shelf.path_of("bad"), number("capacity", -1))
    with pytest.raises(PotError):
        header_of("bad")
    assert "damaged" in shelf.shelved()[0].problem
