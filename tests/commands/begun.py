"""The program in a state that most of its runs come through: all is imported, and no word has been looked at.

    python begun.py SOCKET                 waits in that state; each call goes on from there in a process of its own
    python -SE begun.py SOCKET WORDS...    is to its caller what `python -m infinipot_cli WORDS...` is, seconds sooner,
                                           or what `python -c PROGRAM WORDS...` is, where the first word is -c

A run that goes on from there has the streams, the variables, the folder and the words of its caller, gets the signals
that the caller's child gets, and ends as itself. What happens while libraries are imported, and how the interpreter
takes its streams and locale, only a run from the beginning can show.
"""

import array
import atexit
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

READY = "ready\n"
ANEW = "-"  # in the place of a socket: begin at the beginning
_RELAYED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIZE = 8
# What a command that asks a model imports only when it comes to it: what others bring along, and what is ours.
_OTHERS = ("sympy", "pydantic.type_adapter", "transformers.models.llama.modeling_llama")
_OWN = (
    *("cached", "engine", "explain.evidence", "explain.passages", "model.load", "pots.compact"),
    "commands.ask",
    *(f"commands.runs.{name}" for name in ("answering", "carry_out", "remarks", "remember")),
)


def ask(path: str, words: list[str]) -> int:
    """Have the program go on with these words; returns how it ended, minus the signal if by one."""
    child, early = 0, list[int]()

    def relay(number: int, _: object) -> None:
        os.kill(child, number) if child else early.append(number)

    for number in _RELAYED:
        signal.signal(number, relay)
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        request = json.dumps({"words": words, "variables": dict(os.environ), "folder": os.getcwd()}).encode()
        streams = array.array("i", [0, 1, 2])
        server.sendmsg([len(request).to_bytes(_SIZE)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        server.sendall(request)
        child = int.from_bytes(_received(server, _SIZE))
        for number in early:
            os.kill(child, number)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in streams:  # whoever waits at the other end waits for the program, not for us
            os.dup2(nowhere, stream)
        return int.from_bytes(_received(server, _SIZE), signed=True)


def serve(path: str) -> None:
    """Start a process for each call; returns only in these, ready to go on."""
    running: dict[int, socket.socket] = {}
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the tests' that are stopped
    signal.set_wakeup_fd(woken)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write(READY)
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, wake, sys.stdin, *running.values()], [], [])
            if sys.stdin in ready:  # the tests are over
                sys.exit()
            if wake in ready:
                os.read(wake, 4096)
                _report(running)
            for child, caller in running.items():
                if caller in ready:  # it was killed, and nothing else kills what it stands for
                    os.kill(child, signal.SIGKILL)
            if listener not in ready:
                continue
            caller, _ = listener.accept()
            request, streams = _request(caller)
            child = os.fork()
            if child == 0:
                for open_socket in (listener, caller, *running.values()):
                    open_socket.close()
                signal.set_wakeup_fd(-1)
                os.close(wake)
                os.close(woken)
                _become(request, streams)
                return
            for stream in streams:
                os.close(stream)
            running[child] = caller
            with suppress(OSError):  # it was killed
                caller.sendall(child.to_bytes(_SIZE))


def _report(running: dict[int, socket.socket]) -> None:
    for child in list(running):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with running.pop(child) as caller, suppress(OSError):
                caller.sendall(os.waitstatus_to_exitcode(status).to_bytes(_SIZE, signed=True))


def _request(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, streams, _, _ = socket.recv_fds(caller, _SIZE, 3)
    return json.loads(_received(caller, int.from_bytes(head))), streams


def _received(other: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = other.recv(size - len(data))
        if not part:
            sys.exit("whoever keeps the program begun has gone")
        data += part
    return data


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Take over what a process has from whoever starts it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    sys.argv[1:] = request["words"]
    text: dict[str, Any] = {"encoding": "utf-8", "closefd": False}
    sys.stdin, sys.stdout = open(0, **text), open(1, "w", **text)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", **text)  # noqa: SIM115


def _import_all() -> None:
    """In the order in which the program does it."""
    import infinipot_cli.__main__
    from infinipot_cli.startup.quick_imports import import_libraries, own_process, without_collecting

    with without_collecting():
        import infinipot_cli.app
    own_process()
    infinipot_cli.settings.prepare_environment()
    import_libraries()
    with without_collecting():
        for name in _OTHERS:
            with suppress(ImportError):
                importlib.import_module(name)
        for name in _OWN:
            importlib.import_module(f"infinipot_cli.{name}")
        with suppress(ImportError):
            from transformers.conversion_mapping import get_checkpoint_conversion_mapping

            get_checkpoint_conversion_mapping("llama")  # the table that it makes at its first call


def _run() -> int:
    """Do what was asked for; returns the exit code."""
    try:
        if sys.argv[1:2] == ["-c"]:
            sys.argv.pop(0)
            exec(sys.argv.pop(1), {"__name__": "__main__"})
        else:
            from infinipot_cli.__main__ import main

            main()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        return end.code or 0
    return 0


def _end_soon(code: int) -> None:
    """End as Python does, but let the system take apart what was imported: half of a short run's time, each time.

    Whatever else is left to do at the end, as a stream that cannot be written, is left to Python.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.exit(code)
    if threading.active_count() > 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    os._exit(code)


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == ANEW:
        module = [] if sys.argv[2] == "-c" else ["-m", "infinipot_cli"]
        os.execv(sys.executable, [sys.executable, *module, *sys.argv[2:]])
    if len(sys.argv) > 2:
        code = ask(sys.argv[1], sys.argv[2:])
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)
    sys.path.pop(0)  # the folder of this file, which no run of the program would look into
    _import_all()
    serve(sys.argv[1])
    _end_soon(_run())
