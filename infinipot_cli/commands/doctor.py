"""`infinipot doctor`: what this installation has, one line a fact."""

import platform
import sys
from pathlib import Path

import typer

from infinipot_cli import __version__, settings
from infinipot_cli.commands.options import common
from infinipot_cli.config import PROJECT_FILE, Config, load_config
from infinipot_cli.errors import InfinipotError
from infinipot_cli.places import cache_folder, config_file, data_folder, is_writable, state_folder

PACKAGES = "torch transformers safetensors tokenizers tiktoken huggingface-hub typer rich pypdf".split()
# Packages of extras, and what is missing without them.
OPTIONAL = {
    "pypdfium2": "PDFs are read slower, columns less well; pip install 'infinipot[pdfium]'",
    "defusedxml": "no EPUB and DOCX; pip install 'infinipot[docs]'",
}

_MODEL = "model "  # in front of the name of one that is here
_CACHE = "model cache"


def doctor(
    json: common.Json = False, no_pager: common.NoPager = False, plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:  # fmt: skip
    """Check what infinipot needs: libraries, accelerator, models, settings, terminal.

    infinipot doctor

    Ends with 1 if something would make a run fail that names no model.
    """
    settings.prepare_environment()
    from infinipot_cli.display.console import terminal_facts
    from infinipot_cli.display.listing import show_rows
    from infinipot_cli.display.summary import size
    from infinipot_cli.model.inventory import cache_problem, local_models

    rows: list[dict[str, object]] = [
        _row("infinipot", "ok", __version__),
        _row("python", "ok", f"{platform.python_version()} {sys.platform}"),
    ]
    rows += [_package(name) for name in PACKAGES]
    rows += [_package(name, without=why) for name, why in OPTIONAL.items()]
    try:
        from infinipot_cli.model.load import accelerator

        rows.append(_row("accelerator", "ok", accelerator()))
    except Exception as error:  # a broken installation of torch can fail in any way; finding that out is the point
        rows.append(_row("accelerator", "problem", f"torch cannot be used: {error}"))
    for model in local_models():
        state = "problem" if model.problem else "ok"
        rows.append(_row(f"{_MODEL}{model.name}", state, model.problem or size(model.n_bytes)))
    if problem := cache_problem():
        rows.append(_row(_CACHE, "problem", problem))
    limit = settings.parse_bytes(settings.CACHE_LIMIT)
    try:
        config = load_config()
        found = config.values.get("pot.cache_limit")
        limit = int(str(found.value)) if found else limit
        rows += [_row("settings", "ok", _settings_files()), _default_model(config)]
    except InfinipotError as error:
        rows.append(_row("settings", "problem", error.message))
    folders = {"data": data_folder(), "cache": cache_folder(), "state": state_folder()}
    for name, folder in folders.items():
        there = is_writable(folder)
        rows.append(
            _row(f"{name} folder", "ok" if there else "problem", f"{folder}{'' if there else ' cannot be written'}")
        )
    rows.append(_row("kept readings", "ok", _kept(limit)))
    rows.append(_row("terminal", "ok", terminal_facts()))
    show_rows(rows, as_json=json, pager=not no_pager, plain=plain)
    # a model of the cache that nobody uses may be what it likes
    if any(row["state"] == "problem" and not str(row["name"]).startswith(_MODEL) for row in rows):
        raise typer.Exit(InfinipotError.exit_code)


def _settings_files() -> str:
    """The files that settings were read from."""
    own, here = config_file(), Path(PROJECT_FILE)
    if here.is_file():
        return f"{own}, {here}" if own.is_file() else f"{here}; {own} is not there"
    return str(own) if own.is_file() else f"{own} (not there; the defaults hold)"


def _default_model(config: Config) -> dict[str, object]:
    """The model that answers where the command line names none."""
    from infinipot_cli.model.catalog import find

    chosen, text_only = config.default_model, config.values.get("model.text_only")
    name = str(chosen.value)
    named = f"{name} ({chosen.origin})" if chosen.origin != "default" else name
    try:
        loading = settings.Loading(text_only=text_only is not None and bool(text_only.value))
        find(config.aliases.get(name, name), loading)
    except InfinipotError as error:
        return _row("default model", "problem", f"{named}: {error.message}")
    return _row("default model", "ok", named)


def _kept(limit: int) -> str:
    """What the readings take that nobody has named."""
    from infinipot_cli.cached import held_files
    from infinipot_cli.display.summary import size

    held = held_files()
    return f"{len(held)}, {size(sum(one[1] for one in held))} of at most {size(limit)}"


def _row(name: str, state: str, detail: str) -> dict[str, object]:
    return {"name": name, "state": state, "detail": detail}


def _package(name: str, *, without: str = "") -> dict[str, object]:
    from importlib import metadata  # slow to import, and every command's help imports this module

    try:
        return _row(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return (
            _row(name, "missing", f"not needed, but: {without}") if without else _row(name, "problem", "not installed")
        )
