"""Weights that are not whole are named, with what is wrong and what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infinipot_cli.errors import ModelError
from infinipot_cli.model.catalog import find
from infinipot_cli.model.load import load
from infinipot_cli.model.weights import damage
from infinipot_cli.settings import Loading

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 123456\n"
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "half": (lambda whole: whole[: len(whole) // 2], "is cut off after", "again in full"),
    "a byte short": (lambda whole: whole[:-1], "is cut off after", "again in full"),
    "in the header": (lambda whole: whole[:50], "is cut off after", "again in full"),
    "empty": (lambda _: b"", "is empty", "again in full"),
    "three bytes": (lambda whole: whole[:3], "is no safetensors file", "again in full"),
    "a page": (lambda _: b"<!DOCTYPE html><html>not found</html>", "is no safetensors file", "again in full"),
    "a pointer": (lambda _: POINTER, "is a Git LFS pointer", "git lfs pull"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_half_a_download_is_named(name: str, tiny_model: Path, tmp_path: Path) -> None:
    change, reason, hint = DAMAGES[name]
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(change(weights.read_bytes()))
    with pytest.raises(ModelError, match=rf"^damaged cannot be loaded: model\.safetensors {reason}") as caught:
        load(find(str(folder)))
    assert "\n" not in caught.value.message
    assert hint in caught.value.hint


def test_a_pointer_in_the_place_of_a_pickle_is_named(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(POINTER)
    loading = Loading(allow_pickle=True)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a Git LFS pointer") as caught:
        load(find(str(folder), loading), loading)
    assert caught.value.hint == "git lfs pull in its folder"


def test_whole_weights_have_nothing_wrong(tiny_model: Path, tmp_path: Path) -> None:
    assert damage(tiny_model) == damage(tmp_path) == ""
