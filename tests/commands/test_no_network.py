"""No run calls out: neither through a proxy that the environment names nor past it, and nobody waits for the hub."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# The program, and a file in which stands whatever it wanted of the network.
WATCHED = """
import sys
asked = open(sys.argv.pop(1), "a", buffering=1)
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        asked.write(event + " " + ascii(arguments[-1] if event == "socket.connect" else arguments) + "\\n")
sys.addaudithook(watch)
from infinipot_cli.__main__ import main
main()
"""


class Proxy:
    """Takes every connection, counts it and ends it."""

    def __init__(self) -> None:
        self.n_calls = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:  # it was closed
                return
            self.n_calls += 1
            caller.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


@pytest.fixture
def environment(proxy: Proxy, tmp_path: Path) -> dict[str, str]:
    """That of a user behind a proxy who has said nothing about being offline."""
    dropped = ("HF_", "INFINIPOT_", "TRANSFORMERS_")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(dropped) and "proxy" not in key.lower()
    }  # fmt: skip
    url = f"http://127.0.0.1:{proxy.listener.getsockname()[1]}"
    named = {name: url for word in ("http_proxy", "https_proxy", "all_proxy") for name in (word, word.upper())}
    return {**kept, **named, "HF_HOME": str(tmp_path / "hub"), "INFINIPOT_HOME": str(tmp_path / "home")}


def test_only_a_download_that_was_agreed_to_calls_anybody(
    environment: dict[str, str], proxy: Proxy, story: Path, tmp_path: Path
) -> None:
    log = tmp_path / "asked"

    def ended(*words: str) -> tuple[int, str, str]:
        log.write_text("")
        command = [sys.executable, "-c", WATCHED, str(log), *words]
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    code, answer, said = ended("ask", str(story), "What is the pass key?", "-n", "8")
    assert (code, bool(answer.strip())) == (0, True), said
    assert (proxy.n_calls, log.read_text()) == (0, "")

    start = time.monotonic()
    code, answer, said = ended("ask", str(story), "Who?", "-m", "acme/unknown", "--no-input")
    error, hint = said.splitlines()
    assert (code, answer, error) == (4, "", "error: model 'acme/unknown' is not on this machine")
    assert "infinipot models pull acme/unknown" in hint
    assert time.monotonic() - start < 30, "a library that looks for a hub where there is none takes 45 s"
    assert (proxy.n_calls, log.read_text()) == (0, "")

    code, _, said = ended("models", "pull", "acme/unknown", "--yes")
    assert (code, proxy.n_calls > 0) == (4, True), said
    assert "socket.connect" in log.read_text(), "what watches the others would have seen it"
