"""A file whose sum is right may still hold what no pot of its model holds: refused with one line, whatever it is."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.engine import PotState, Reader, capture, restore
from infinipot_cli.errors import OutputError, PotError, UsageError
from infinipot_cli.model.load import load as load_model
from infinipot_cli.pots import shelf, transfer
from infinipot_cli.session import Session
from tests.pots import forging

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Any:
    session = Session(str(tiny_model))
    return load_model(session.files, session.loading).model


@pytest.fixture(scope="module")
def good(model: Any) -> PotState:
    reader = Reader(model, catalyst_ids=(5, 6), prefix_ids=(1, 2), capacity=40, budget=18)
    for _ in reader.feed(torch.arange(8, 88).tolist()):
        pass
    return capture(reader.pot)


def changed(state: PotState, change: Change) -> PotState:
    there = PotState(copy.deepcopy(state.numbers), {name: tensor.clone() for name, tensor in state.tensors.items()})
    change(vars(there))
    return there


def with_value(name: str, value: float) -> Change:
    def put(there: dict[str, Any]) -> None:
        there["tensors"][name].view(-1)[3] = value

    return put


def with_tensor(name: str, make: Callable[[Tensor], Tensor]) -> Change:
    return lambda there: there["tensors"].update({name: make(there["tensors"][name]).contiguous()})


def with_number(name: str, value: object) -> forging.Change:
    return lambda content, _: content["numbers"].update({name: value})


TENSORS: dict[str, Change] = {
    "a key that is no number": with_value("keys.0", float("nan")),
    "an endless value": with_value("values.1", float("inf")),
    "novelty that is no number": with_value("novelty", float("nan")),
    "a state that is no number": with_value("last_state", float("nan")),
    "narrower keys": with_tensor("keys.0", lambda keys: keys[..., :4]),
    "fewer heads": with_tensor("keys.0", lambda keys: keys[:, :1]),
    "half precision": with_tensor("keys.0", Tensor.half),
    "eight bits": with_tensor("values.0", lambda values: values.to(torch.int8)),
    "two texts": with_tensor("keys.1", lambda keys: keys.repeat(2, 1, 1, 1)),
    "a shorter state": with_tensor("last_state", lambda state: state[:3]),
    "origins backwards": with_tensor("origins", lambda origins: origins.flip(-1)),
    "an origin twice": with_tensor("origins", lambda origins: origins // 2),
    "origins below zero": with_tensor("origins", lambda origins: origins - 5),
    "origins never read": with_tensor("origins", lambda origins: origins + 1000),
    "origins with a point": with_tensor("origins", Tensor.float),
    "no origins": lambda there: there["tensors"].pop("origins"),
    "no novelty": lambda there: there["tensors"].pop("novelty"),
    "no state": lambda there: there["tensors"].pop("last_state"),
    "no keys": lambda there: there["tensors"].pop("keys.1"),
    "a layer too many": lambda there: there["tensors"].update({"keys.7": there["tensors"]["keys.0"]}),
    "something else": lambda there: there["tensors"].update({"extra": torch.zeros(3)}),
}
NUMBERS: dict[str, forging.Change] = {
    f"{name}={value!r}": with_number(name, value)
    for name, values in {
        "capacity": (-1, 0, 17, 10**12, True, 40.0, None),
        "budget": (-1, 0, 400, "18"),
        "n_prefix": (-1, 10**12, None),
        "n_seen": (3, -1, 1e3),
        "n_seen_distilled": (10**6,),
        "peak": (-1, None),
        "novelty_ratio": (True, "x", 2.0, -1),
        "catalyst_ids": ([], [-1], ["x"], None),
        "pinned": ([[5, 3]], [[-1, 2]], [[1, 2, 3]], 7),
        "policy": ("nobody", 3, None),
        "policy_settings": ({"cap": 1, "x": 2}, []),
    }.items()
    for value in values
}


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS.keys())
def test_tensors_of_no_pot(model: Any, good: PotState, change: Change) -> None:
    with pytest.raises(PotError) as caught:
        restore(model, changed(good, change))
    assert caught.value.exit_code == 6 and "\n" not in caught.value.message


def test_what_a_pot_holds_itself_is_taken(model: Any, good: PotState) -> None:
    assert restore(model, changed(good, lambda _: None)).n_held == good.tensors["origins"].shape[-1]


@pytest.fixture
def stored(tiny_model: Path, story: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A stored pot, and the model that filled it."""
    path = tmp_path / "night.pot"
    read = ["read", str(story), "--save-pot", str(path), "-s", "400", "--budget", "200", "-m", str(tiny_model), "-q"]
    assert CliRunner().invoke(app, read).exit_code == 0
    return path, tiny_model


def asked(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["ask", f"@{path}", "Who?", "-n", "2", "-q", "--no-log"])
    return result.exit_code, result.stderr


HEADERS: dict[str, forging.Change] = {
    **{
        f"{name} {value!r}": lambda content, _, name=name, value=value: content.update({name: value})
        for name, value in {
            "format": True, "questions": [3], "prefix_ids": [True], "entries": "int4", "created": None, "ahead": 3,
        }.items()
    },
    "dtype": lambda content, _: content["fingerprint"].update(dtype="x"),
    "a setting of another kind": lambda content, _: content["numbers"]["choice"].update(fill="x"),
    "a setting there is not": lambda content, _: content["numbers"]["choice"].update(more=1),
    "a setting out of its range": lambda content, _: content["numbers"]["choice"].update(sinks=-4),
    "no trail": lambda _, tensors: tensors.pop("trail"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["header", "numbers"])
def test_headers_and_numbers_of_no_pot_end_with_6(stored: tuple[Path, Path], kind: str) -> None:
    good, path = stored[0], stored[0].with_name("forged.pot")
    forging.forged(good, path, lambda content, tensors: None)
    assert asked(path)[0] == 0, "what was only signed anew is the same pot"
    for name, change in (HEADERS if kind == "header" else NUMBERS).items():
        forging.forged(good, path, change)
        code, said = asked(path)
        assert code == 6 and said.startswith("error: ") and "--debug" not in said, (name, code, said)
        shown = CliRunner().invoke(app, ["pots", "show", str(path)])
        assert shown.exit_code in (0, 6), (name, shown.output)


def test_a_name_that_stands_twice_is_refused(stored: tuple[Path, Path]) -> None:
    path = stored[0].with_name("forged.pot")
    twice = (b'"__metadata__":{', b'"__metadata__":{"x":"y","x":"z",')
    forging.reheaded(stored[0], path, lambda head: head.replace(*twice, 1))
    assert asked(path)[0] == 6


def test_places_that_cannot_hold_a_pot_are_refused_before_reading(
    stored: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = stored
    monkeypatch.setenv("INFINIPOT_HOME", str(path.parent / "home"))
    (shelf.shelf_folder() / "folder.pot").mkdir(parents=True)
    with pytest.raises(OutputError):
        shelf.check_target("folder")
    with pytest.raises(UsageError, match="no name on the shelf"):
        transfer.bring(path, str(path.parent / "out.pot"))
    assert not (path.parent / "out.pot").exists()
