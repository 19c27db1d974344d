import errno
import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from infinipot_cli.errors import ModelError, PotSizeError, UsageError
from infinipot_cli.model import catalog
from infinipot_cli.model.files import describe
from infinipot_cli.model.inventory import local_models
from infinipot_cli.model.load import load
from infinipot_cli.model.weights import damage
from infinipot_cli.plan import Prompt, make_plan
from infinipot_cli.pots.fingerprint import fingerprint
from infinipot_cli.settings import Loading, PotRequest, Quantization


def folder_with(tmp_path: Path, **files: object) -> Path:
    """A model folder whose weights are an empty file; keys are file names with _ for the last dot."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "model.safetensors").touch()
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name.replace("_json", ".json").replace("_jinja", ".jinja")).write_text(text)
    return tmp_path


def test_a_folder_describes_itself(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        config_json={"max_position_embeddings": 2048, "eos_token_id": 2},
        generation_config_json={"eos_token_id": [2, 7]},
        tokenizer_config_json={"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": "old"},
        chat_template_jinja="new",
    )
    found = describe("mine", folder)
    assert (found.name, found.context_length, found.stop_ids) == ("mine", 2048, {2, 7})
    assert found.special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    assert found.chat_template == "new"
    assert found.tokenizer_json is None


@pytest.mark.parametrize(
    ("config", "length"),
    [({"n_positions": 1024}, 1024), ({"text_config": {"max_position_embeddings": 99}, "n_ctx": 5}, 99), ({}, None)],
)
def test_the_trained_context_is_found_under_its_names(tmp_path: Path, config: object, length: int | None) -> None:
    assert describe("x", folder_with(tmp_path, config_json=config)).context_length == length


@pytest.mark.parametrize(
    ("rope", "length"),
    [
        ({"rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 4096}, 4096),
        ({"rope_parameters": {"rope_type": "dynamic", "original_max_position_embeddings": 2048}}, 2048),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, 131072),
        ({"rope_scaling": {"rope_type": "llama3", "original_max_position_embeddings": 8192}}, 131072),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, 131072),
    ],
)
def test_a_rotation_that_changes_with_length_limits_the_context(
    tmp_path: Path, rope: dict[str, object], length: int
) -> None:
    config = {"max_position_embeddings": 131072, **rope}
    assert describe("x", folder_with(tmp_path, config_json=config)).context_length == length


@pytest.mark.parametrize(
    ("rope", "context", "changing"),
    [
        ({"rope_type": "longrope", "original_max_position_embeddings": 128}, 128, "longrope"),
        ({"rope_type": "dynamic", "factor": 2.0}, 2048, "dynamic"),
        ({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 128}, 2048, ""),
    ],
)
def test_a_pot_too_large_is_told_what_it_is_too_large_for(
    tmp_path: Path, rope: dict[str, object], context: int, changing: str
) -> None:
    folder = folder_with(tmp_path, config_json={"max_position_embeddings": 2048, "rope_parameters": rope})
    found = describe("mine", folder)
    assert (found.context_length, found.changing) == (context, changing)
    request, prompt = PotRequest(4096), Prompt((1,), (2,), (3,))
    with pytest.raises(PotSizeError) as caught:
        make_plan(
            prompt, request, model="mine", context_length=found.context_length, changing=found.changing,
            capacity=4096, max_tokens=10,
        )  # fmt: skip
    why = f"at which mine changes its rotation ({changing})" if changing else "that mine was trained for"
    assert caught.value.message.endswith(f"than the {context} tokens {why}")


def test_what_git_lfs_has_not_fetched_says_so(tmp_path: Path) -> None:
    folder_with(tmp_path, config_json="version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n")
    with pytest.raises(ModelError) as caught:
        describe("mine", tmp_path)
    assert caught.value.hint == "git lfs pull in its folder"


def test_of_several_chat_templates_the_default_is_taken(tmp_path: Path) -> None:
    named = [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}]
    folder = folder_with(tmp_path, config_json={}, tokenizer_config_json={"chat_template": named})
    assert describe("x", folder).chat_template == "D"


@pytest.mark.parametrize(
    "content", ["", "not json", "[1]", "[" * 100_000, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")]
)
def test_damaged_json_is_one_clear_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        describe("x", folder_with(tmp_path, config_json=content))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no weights"):
        describe("x", tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ModelError, match="may run code"):
        describe("x", tmp_path)


def test_a_folder_of_something_else_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no config\.json"):
        describe("x", tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="holds an adapter") as caught:
        describe("x", tmp_path)
    assert "merge" in caught.value.hint
    for name in ("b.gguf", "a.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"holds a\.gguf and 1 more; name the file") as caught:
        catalog.find(str(tmp_path))
    assert caught.value.hint == f"-m {tmp_path / 'a.gguf'}"


def test_weights_in_the_format_of_other_programs_are_not_counted(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "twice"
    shutil.copytree(tiny_model, folder)
    marks = fingerprint(describe("x", folder), "", "fp32", "none").weights
    (folder / "consolidated.safetensors").write_bytes(b"all of them once more")
    (folder / "consolidated.safetensors.index.json").write_text("{}")
    files = describe("x", folder)
    assert [path.name for path in files.weight_files] == ["model.safetensors"]
    assert fingerprint(files, "", "fp32", "none").weights == marks
    assert damage(folder) == ""
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no weights; consolidated\.safetensors is in a format"):
        describe("x", folder)


def test_one_file_of_weights_goes_before_shards_that_an_index_names(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "stale"
    shutil.copytree(tiny_model, folder)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert load(describe("x", folder)).dtype == "fp32"


def test_code_that_was_not_fetched_is_named_where_it_shall_be_run(tmp_path: Path, model_with_code: Path) -> None:
    assert describe("x", model_with_code, trust_remote_code=True).trust_remote_code
    folder = tmp_path / "pulled"
    shutil.copytree(model_with_code, folder)
    (folder / "own.py").unlink()
    with pytest.raises(ModelError, match=r"^x needs code that is not in its folder: own\.py$") as caught:
        describe("x", folder, trust_remote_code=True)
    assert (caught.value.code, "hf download" in caught.value.hint) == ("remote_code", True)
    describe("x", folder)
    config = json.loads((folder / "config.json").read_text())
    elsewhere = {kind: f"acme/code--{place}" for kind, place in config["auto_map"].items()}
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": elsewhere}))
    describe("x", folder, trust_remote_code=True)


@pytest.mark.parametrize(("own", "is_rounded"), [({"quant_method": "fp8"}, True), (None, False), ({}, False)])
def test_what_is_rounded_already_is_not_rounded_again(tmp_path: Path, own: object, is_rounded: bool) -> None:
    folder = folder_with(tmp_path / "made", config_json={"quantization_config": own})
    assert describe("x", folder).is_rounded is is_rounded
    assert catalog.find(str(folder)).name == "made"
    with pytest.raises(UsageError, match=r"^made is rounded already$") if is_rounded else nullcontext():
        catalog.find(str(folder), Loading(quantize=Quantization.INT8))


def test_half_a_download_is_refused(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    folder = folder_with(tmp_path, config_json={}, **{"model.safetensors.index_json": index})
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    with pytest.raises(ModelError, match=r"1 of 2 weight files are missing, model-2\.safetensors"):
        describe("x", folder)


@pytest.mark.parametrize(
    "name", ["no-such-model", "no/such-model", "./nowhere", "a/b/c", "x" * 5000, "", "~nobody/x", "~no-user/x"]
)
def test_an_unknown_name_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(ModelError, match="is not on this machine") as caught:
        catalog.find(name)
    assert "-m ./FOLDER" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "offered"),
    [("no/such-model", "no/such-model"), ("no/such@main", "no/such@main"), ("./nowhere", "ORG/NAME"),
     ("/no/where", "ORG/NAME"), ("../no", "ORG/NAME"), ("~/no", "ORG/NAME"), ("a/b/c", "ORG/NAME"), ("no", "ORG/NAME")],
)  # fmt: skip
def test_only_a_name_of_the_hub_is_offered_to_be_fetched(name: str, offered: str) -> None:
    assert catalog.is_hub_name(name) == (offered == name)
    with pytest.raises(ModelError) as caught:
        catalog.find(name)
    assert f"infinipot models pull {offered}," in caught.value.hint


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with pytest.raises(ModelError, match="a model is a folder"):
        catalog.find(str(tmp_path / "model.bin"))


def test_a_folder_goes_by_its_name(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_model)
    assert catalog.find(".").name == "tiny-llama"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def fetched(hub_cache: Path, commit: str, reference: str, model: Path) -> Path:
    """Put a model into the cache as if this branch or tag of it had been fetched."""
    folder = hub_cache / "models--me--tiny"
    snapshot = folder / "snapshots" / commit
    shutil.copytree(model, snapshot)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / reference).write_text(commit)
    return snapshot


def test_a_model_in_the_hub_cache_is_found_by_its_name(hub_cache: Path, tiny_model: Path) -> None:
    fetched(hub_cache, "0123abc", "main", tiny_model)
    assert catalog.find("me/tiny").name == "me/tiny"


def test_without_its_main_branch_a_model_of_the_cache_is_the_newest_that_was_fetched(
    hub_cache: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> Path:
        return next(model.folder for model in local_models() if model.name == "me/tiny")

    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(hub_cache), raising=False)
    for number, (commit, reference) in enumerate((("0a", "v1"), ("0b", "v2"))):
        snapshot = fetched(hub_cache, commit, reference, tiny_model)
        os.utime(snapshot, (number, number))
        assert catalog.find("me/tiny").folder == snapshot == listed()
    assert catalog.find("me/tiny@v1").folder.name == "0a"
    main = fetched(hub_cache, "0c", "main", tiny_model)
    os.utime(main, (0, 0))
    assert catalog.find("me/tiny").folder == main == listed()
    with pytest.raises(ModelError, match="is not on this machine"):
        catalog.find("me/tiny@v3")


def test_a_folder_that_may_not_be_entered_is_there_all_the_same(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def refused(path: str | Path, **options: bool) -> os.stat_result:
        if str(path) == f"{tiny_model}/.":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    with pytest.raises(ModelError, match=f"^{tiny_model} cannot be read: Permission denied$"):
        catalog.find(str(tiny_model))


def test_weights_that_lead_nowhere_are_missing(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, config_json={})
    describe("x", folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "blobs" / "0123")
    with pytest.raises(ModelError, match=r"1 of 1 weight files are missing, model\.safetensors") as caught:
        describe("x", folder)
    assert caught.value.code == "incomplete_model"
