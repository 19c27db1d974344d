"""`infinipot models`: which models are here, what they are called, and which one answers."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.commands.runs.consent import No, Yes
from infinipot_cli.config import Value, load_config, with_value, without_value
from infinipot_cli.errors import ModelError, OutputError, UnsupportedModelError, UsageError
from infinipot_cli.places import OWN_NAME, config_file

app = typer.Typer(
    no_args_is_help=True,
    help="List, name and choose the models of this machine."
    "\n\ninfinipot models list\n\ninfinipot models pull Qwen/Qwen3-0.6B",
)


@app.command("list")
def list_models(
    json: common.Json = False,
    names: common.NamesOnly = False,
    no_pager: common.NoPager = False,
    plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:
    """Models on this machine: the embedded one, the Hugging Face cache, your aliases.

    infinipot models list
    """
    settings.prepare_environment()
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.listing import show_rows
    from infinipot_cli.display.problem import show_warning
    from infinipot_cli.display.summary import size
    from infinipot_cli.model.inventory import cache_problem, local_models

    if problem := cache_problem():
        show_warning(error_console(), problem)
    config = load_config()
    default = str(config.default_model.value)
    meant = config.aliases.get(default, default)
    rows: list[dict[str, object]] = [
        {
            "name": model.name,
            "size": model.n_bytes if json else size(model.n_bytes),
            "state": model.problem or ("default" if model.name == meant else "ok"),
            "path": str(model.folder),
        }
        for model in local_models()
    ]
    rows += [
        {"name": name, "size": None, "state": f"alias of {target}{', default' * (name == default)}", "path": target}
        for name, target in config.aliases.items()
    ]
    show_rows(rows, as_json=json, names_only=names, pager=not no_pager, plain=plain)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As on the hub, such as Qwen/Qwen3-0.6B.")],
    yes: Yes = False,
    no_input: No = False,
    quiet: common.Quiet = False,
    debug: common.Debug = False,
) -> None:
    """Fetch a model from the Hugging Face hub into its cache, after saying how large it is.

    infinipot models pull Qwen/Qwen3-0.6B
    """
    from infinipot_cli.commands.runs.consent import agrees, can_ask
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.listing import put
    from infinipot_cli.display.safe import safe_line
    from infinipot_cli.display.summary import size
    from infinipot_cli.model.download import download, look_up

    if name == settings.DEFAULT_MODEL:
        raise ModelError("pocket is part of infinipot and need not be fetched", hint="-m pocket", code="not_fetched")
    offer = look_up(load_config().aliases.get(name, name))
    console = error_console(quiet=quiet)
    about = f"{offer.name}: {size(offer.n_bytes)}" + (f", {offer.licence}" if offer.licence else "")
    if not yes:
        if not can_ask(no_input=no_input):
            raise ModelError(
                f"{about}; nothing is downloaded unless you agree",
                hint=f"infinipot models pull {offer.name} --yes",
                code="no_consent",
            )
        if not agrees(f"{safe_line(about)}. Download now?"):
            raise ModelError("nothing was downloaded", code="no_consent")
    folder = download(offer, show_progress=console.is_terminal and not quiet)
    say(console, f"{offer.name} is here: infinipot ask … -m {offer.name}", style="dim")
    put(str(folder))


@app.command()
def rm(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...", help="In the Hugging Face cache, or aliases.", autocompletion=complete.models
        ),
    ],
    yes: Yes = False,
    no_input: No = False,
    debug: common.Debug = False,
) -> None:
    """Delete models from the Hugging Face cache, after saying how large they are; of an alias, only the short name.

    infinipot models rm Qwen/Qwen3-0.6B
    """
    settings.prepare_environment()
    from infinipot_cli.commands.runs.consent import confirm
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.problem import show_warning
    from infinipot_cli.display.safe import safe_line
    from infinipot_cli.display.summary import size
    from infinipot_cli.model.inventory import cached_model, remove

    config = load_config()
    aliases = config.aliases
    if settings.DEFAULT_MODEL in names:
        raise ModelError("pocket is part of infinipot and stays", hint="infinipot models list", code="not_deleted")
    wanted = dict.fromkeys(names)
    for name in wanted:
        origin = config.origins.get(f"model.aliases.{name}", str(config_file()))
        if origin != str(config_file()):
            hint = f"take {name} out of [model.aliases] there"
            raise UsageError(f"the alias {name} stands in {origin}, which this does not change", hint=hint)
    found = {name: cached_model(name).n_bytes for name in wanted if name not in aliases}  # all are there, or none goes
    if found:
        about = ", ".join(f"{safe_line(name)} ({size(n_bytes)})" for name, n_bytes in found.items())
        confirm(f"Delete {about}?", yes=yes, no_input=no_input)
    for name in wanted:
        if name in aliases:
            _change(lambda text, name=name: without_value(text, "model.aliases", name))  # type: ignore[misc]
        else:
            remove(name)
        say(error_console(), f"deleted {name}" if name in found else f"{name} is no alias any more", style="dim")
    default = config.default_model
    if default.value in wanted:
        change = f"infinipot models default {settings.DEFAULT_MODEL}"
        other = f"another one: {change}" if default.origin == str(config_file()) else f"{default.origin} names it"
        show_warning(error_console(), safe_line(f"{default.value} was the default model; {other}"))


@app.command()
def path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As -m takes it.", autocompletion=complete.models)],
    debug: common.Debug = False,
) -> None:
    """Print the folder of a model.

    infinipot models path pocket
    """
    settings.prepare_environment()
    from infinipot_cli.display.listing import put
    from infinipot_cli.model.catalog import find

    put(str(find(load_config().aliases.get(name, name)).folder))


@app.command()
def alias(
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="The short name.")],
    target: Annotated[str, typer.Argument(metavar="NAME", help="A folder or a name in the Hugging Face cache.")],
    debug: common.Debug = False,
) -> None:
    """Give a model a short name.

    infinipot models alias big Qwen/Qwen3-8B
    """
    aliases = load_config().aliases
    target = aliases.get(target, target)  # an alias is looked up once
    if name in (settings.DEFAULT_MODEL, target) or not OWN_NAME.fullmatch(name):
        problem = f"{name!r} cannot be the short name of a model"
        raise UsageError(
            problem,
            hint=f"letters, digits, '.', '_' and '-', and neither {settings.DEFAULT_MODEL} nor the model's own name",
        )
    written = _from_anywhere(target)
    _set("model.aliases", name, written)
    config = load_config()
    _warn_of_others(Value(config.aliases[name], config.origins[f"model.aliases.{name}"]), written)
    _warn_of_absence(target)


@app.command()
def default(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The model to use from now on.", autocompletion=complete.models),
    ] = None,
    debug: common.Debug = False,
) -> None:
    """Choose the model that answers when there is no -m, or say which one that is.

    infinipot models default Qwen/Qwen3-0.6B
    """
    if name is not None:
        if not name.strip():
            raise UsageError("the model needs a name", hint="infinipot models list shows what there is")
        written = _from_anywhere(name)
        _set("model", "default", written)
        _warn_of_others(load_config().default_model, written)
        _warn_of_absence(name)
        return
    from infinipot_cli.display.listing import put

    put(str(load_config().default_model.value))


def _from_anywhere(name: str) -> str:
    """A name that means the same in every folder."""
    is_named = name == settings.DEFAULT_MODEL or name in load_config().aliases
    path = Path(os.path.expanduser(name))
    return str(path.resolve()) if not is_named and os.path.exists(path) else name


def _warn_of_others(holds: Value, written: str) -> None:
    """Say it where something nearer than the user's settings names another model."""
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.problem import show_warning

    if holds.value != written:
        show_warning(error_console(), f"here it is still {holds.value}: {holds.origin} names it")


def _warn_of_absence(name: str) -> None:
    """Say it where a model is not there yet; it may be fetched later."""
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.problem import show_warning
    from infinipot_cli.model.catalog import find

    config = load_config()
    text_only = config.values.get("model.text_only")
    try:
        find(
            config.aliases.get(name, name), settings.Loading(text_only=text_only is not None and bool(text_only.value))
        )
    except (UnsupportedModelError, UsageError) as error:
        show_warning(error_console(), f"{error.message}; {error.hint}")
    except ModelError as error:
        show_warning(error_console(), f"{error.message}; until it is, -m {settings.DEFAULT_MODEL} answers")


def _set(table: str, key: str, value: str) -> None:
    """Change the user's settings and say so."""
    from infinipot_cli.display.console import error_console, say

    _change(lambda text: with_value(text, table, key, value))
    say(error_console(), f"{table}.{key} = {value}  ({config_file()})", style="dim")


def _change(made: Callable[[str], str]) -> None:
    """Write the user's settings anew."""
    from infinipot_cli.display.output_file import output_file

    file = config_file()
    try:
        text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
        file.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error  # which names the file once more
        raise OutputError(f"{file} cannot be changed: {why}", code="output_failed") from error
    changed = made(text)
    with output_file(str(file)) as stream:
        stream.write(changed)
