"""What all tests share: no network, no user settings, a tiny model, a begun program, and a console that records."""

import atexit
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports the hub library or torch: they look at these only once.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="infinipot-hub-")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # every core has its own worker, and children of it
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import huggingface_hub.utils._cache_manager  # noqa: F401  # copies where the cache is; no test may have moved it by then
import pytest
from rich.console import Console

from tests.commands.begun import ANEW, READY

atexit.register(shutil.rmtree, os.environ["HF_HOME"], ignore_errors=True)

# A shell starts what it sends to the background deaf to Ctrl-C and hang-ups, and every child would inherit that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests but those that want one, before any of them imports torch; workers inherit it."""
    wanted = config.option.markexpr
    if wanted and not re.search(r"(?<!not )\bgpu\b", wanted):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


BOOK = Path(__file__).parent / "data" / "treasure-island.txt"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|user|>{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Refuse every connection to the outside."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Take away what would change output or the choice of a model."""
    for name in ("INFINIPOT_MODEL", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path_factory.getbasetemp() / "no-settings"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a tokenizer of single bytes and a chat template, trained for 512 tokens."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    save_tiny_model(folder, context_length=512)
    return folder


def save_tiny_model(folder: Path, *, context_length: int, chat_template: str | None = CHAT_TEMPLATE) -> None:
    """Write a random Llama with a byte tokenizer as a transformers folder."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    control = ["<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>"]
    vocabulary = {token: place for place, token in enumerate([*control, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in control])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|end|>", pad_token="</s>")
    fast.chat_template = chat_template
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context_length,
        bos_token_id=0,
        eos_token_id=4,
        pad_token_id=1,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    for weight in model.parameters():  # larger than usual, so that attention and answers differ from place to place
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 else None
    model.save_pretrained(folder)


@pytest.fixture(scope="session")
def model_with_code(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model under a type that only code in its own folder knows; the code leaves a file when it runs."""
    folder = tmp_path_factory.mktemp("models") / "coded"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.CodedConfig", "AutoModelForCausalLM": "own.CodedForCausalLM"}
    config |= {"model_type": "coded", "architectures": ["CodedForCausalLM"], "auto_map": own}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        "from pathlib import Path\nfrom transformers import LlamaConfig, LlamaForCausalLM\n"
        f"Path({str(folder / 'ran')!r}).touch()\n"
        'class CodedConfig(LlamaConfig):\n    model_type = "coded"\n'
        "class CodedForCausalLM(LlamaForCausalLM):\n    config_class = CodedConfig\n"
    )
    return folder


@pytest.fixture
def recording_console() -> Iterator[Callable[..., tuple[Console, io.StringIO]]]:
    """Make a console of known width that writes to a string."""

    def make(*, width: int = 80, terminal: bool = False) -> tuple[Console, io.StringIO]:
        out = io.StringIO()
        console = Console(
            file=out, width=width, height=25, force_terminal=terminal, force_interactive=terminal, highlight=False
        )
        return console, out

    return make


@pytest.fixture(params=["pypdf", "pypdfium2"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which library reads PDF files; without pypdfium2 the import of its module fails as if it were not installed."""
    if request.param == "pypdf":
        monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    else:
        pytest.importorskip("pypdfium2")
    return str(request.param)


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A short text that does not fit the tiny model's pots."""
    path = tmp_path / "story.txt"
    path.write_text("The night was dark. " * 60 + "\nThe pass key is 71432.\n" + "The sea was calm. " * 60, "utf-8")
    return path


@pytest.fixture(scope="session")
def begun() -> Iterator[list[str]]:
    """Starts the program as `python -m infinipot_cli` does, in a process of its own, with all libraries there already.

    For what a run shows once it is at work: importing them again takes several times as long as the rest.
    """
    script = str(Path(__file__).parent / "commands" / "begun.py")
    if sys.platform != "linux":  # a process that is forked may not use every library elsewhere
        yield [sys.executable, "-SE", script, ANEW]
        return
    with tempfile.TemporaryDirectory(prefix="begun-") as folder:
        words, variables = [sys.executable, script, f"{folder}/socket"], {**os.environ, "INFINIPOT_HOME": folder}
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True
        ) as program:
            assert program.stdout is not None and program.stdout.readline() == READY
            yield [sys.executable, "-SE", script, f"{folder}/socket"]
