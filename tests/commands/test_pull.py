"""Fetching a model: only with consent, only what loading needs, and every way it can fail is one line.

A small hub of our own answers on this machine; the real client talks to it from a process of its own.
"""

import io
import json
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infinipot_cli.commands.runs.consent import agrees

SHA = "a" * 40
NAME = "acme/tiny"


class Hub:
    """What the hub holds, and what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.status = 200
        self.error = ""
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, *, body: bool) -> None:
                hub.asked.append(self.path)
                hub.tokens.add(self.headers.get("Authorization"))
                path = self.path.partition("?")[0]
                content = b"{}"
                if hub.status != 200:
                    pass
                elif "/resolve/" in path:
                    content = hub.files[path.split("/resolve/")[1].partition("/")[2]]
                elif "/tree/" in path:
                    rows = [{"type": "file", "path": n, "size": len(d), "oid": SHA} for n, d in hub.files.items()]
                    content = json.dumps(rows).encode()
                else:
                    siblings = [{"rfilename": name, "size": len(data)} for name, data in hub.files.items()]
                    record = {"id": NAME, "sha": SHA, "siblings": siblings, "cardData": {"license": "apache-2.0"}}
                    content = json.dumps(record).encode()
                self.send_response(hub.status)
                if hub.error:
                    self.send_header("X-Error-Code", hub.error)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", f'"{abs(hash(content)):x}"')
                self.send_header("X-Repo-Commit", SHA)
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def hub(tiny_model: Path) -> Iterator[Hub]:
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    made = Hub({**files, "modeling_evil.py": b"raise SystemExit", "pytorch_model.bin": b"x", "onnx/model.json": b"{}"})
    made.files |= {"consolidated.safetensors": b"once more", "consolidated.safetensors.index.json": b"{}"}
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "INFINIPOT_"))}
    return {
        **kept,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server.server_port}",
        "INFINIPOT_HOME": str(tmp_path / "home"),
    }


def pull(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infinipot_cli", "models", "pull", NAME, *words]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_nothing_is_fetched_unless_somebody_agrees(hub: Hub, environment: dict[str, str], tmp_path: Path) -> None:
    refused = pull(environment)
    assert refused.returncode == 4
    assert "nothing is downloaded unless you agree" in refused.stderr
    assert "apache-2.0" in refused.stderr
    assert not any("/resolve/" in path for path in hub.asked)
    agreed = pull(environment, "--yes")
    assert agreed.returncode == 0, agreed.stderr
    assert "\x1b" not in agreed.stdout + agreed.stderr
    folder = Path(agreed.stdout.strip())
    wanted = {name for name in hub.files if name.endswith((".json", ".safetensors", ".jinja")) and "/" not in name}
    wanted = {name for name in wanted if not name.startswith("consolidated")}
    assert {path.name for path in folder.iterdir()} == wanted, "no code, no pickles, no other folders, nothing twice"
    (tmp_path / "x.txt").write_text("text")
    hub.status = 500
    info = [sys.executable, "-m", "infinipot_cli", "info", str(tmp_path / "x.txt"), "-m", NAME]
    counted = subprocess.run(info, env=environment, capture_output=True, text=True, check=False)
    assert counted.returncode == 0, counted.stderr


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", "is gated"),
        (404, "RepoNotFound", "there is no model acme/tiny"),
        (500, "", "the hub refused acme/tiny (500)"),
        (0, "", "cannot be reached"),
        (-1, "", "offline (HF_HUB_OFFLINE=1)"),
        (200, "no weights", "no weights in safetensors"),
    ],
)
def test_failures_are_one_line(hub: Hub, environment: dict[str, str], status: int, code: str, message: str) -> None:
    hub.status, hub.error = max(status, 0) or 200, code if " " not in code else ""
    if status == 0:
        environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    if status == -1:
        environment["HF_HUB_OFFLINE"] = "1"
    if code == "no weights":
        hub.files = {"config.json": b"{}"}
    done = pull(environment, "--yes")
    assert done.returncode == 4, done.stderr
    assert message in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[1].startswith("hint:")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_run_whose_model_cannot_be_fetched_says_so_in_json(
    hub: Hub, environment: dict[str, str], story: Path
) -> None:
    hub.status = 500
    ask = [sys.executable, "-m", "infinipot_cli", "ask", str(story), "Who?", "-m", NAME, "--yes", "--json", "-q"]
    done = subprocess.run(ask, env=environment, capture_output=True, text=True, check=False)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit_code"], error["code"]) == (4, 4, "model_not_found")
    assert "the hub refused acme/tiny (500)" in done.stderr


def test_a_proxy_is_asked_where_one_is_named_and_nobody_is_told_who_asks(hub: Hub, environment: dict[str, str]) -> None:
    proxy = f"http://127.0.0.1:{hub.server.server_port}"
    named = {"HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": proxy, "http_proxy": proxy, "DO_NOT_TRACK": "1"}
    for name in ("no_proxy", "NO_PROXY"):
        environment.pop(name, None)
    done = pull({**environment, **named, "HF_TOKEN": "hf_of_the_tests"}, "--yes")
    assert done.returncode == 0, done.stderr
    assert hub.tokens == {"Bearer hf_of_the_tests"}
    assert hub.asked and all(path.startswith("http://hub.invalid/") for path in hub.asked)
    # what is asked for is the model and nothing else: there is no word about the use of it
    assert all(NAME in path for path in hub.asked), hub.asked


def converse(command: list[str], environment: dict[str, str], reply: bytes) -> tuple[int, str]:
    """Run a command on a terminal and answer its question."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown, answered = b"", False
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
        if b"[y/N]" in shown and not answered:
            os.write(ours, reply)
            answered = True
    code = child.wait(timeout=60)
    os.close(ours)
    assert child.stdout is not None
    child.stdout.close()
    return code, shown.decode()


@pytest.mark.parametrize(("typed", "agreed", "ends"), [("y\n", True, ""), ("\n", False, ""), ("", False, "\n")])
def test_what_follows_a_question_begins_a_line(
    typed: str, agreed: bool, ends: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert agrees("Delete it?") == agreed
    assert capsys.readouterr().err == f"Delete it? [y/N] {ends}", "the terminal shows what is typed"


@pytest.mark.slow
@pytest.mark.parametrize(("reply", "code"), [(b"y\n", 0), (b"\n", 4)])
def test_a_question_with_a_missing_model_offers_it_on_a_terminal(
    hub: Hub, environment: dict[str, str], story: Path, reply: bytes, code: int
) -> None:
    ask = [sys.executable, "-m", "infinipot_cli", "ask", str(story), "Who?", "-m", NAME, "-s", "400", "-n", "5"]
    done, shown = converse(ask, environment, reply)
    assert "Download now? [y/N]" in shown
    assert done == code, shown
    hub.asked.clear()
    if code:
        assert converse([*ask, "--no-input"], environment, reply)[0] == 4
        assert hub.asked == [], "nobody was asked, so nobody was called"
