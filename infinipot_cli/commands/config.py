"""`infinipot config`: where the settings are, and what holds."""

import typer

from infinipot_cli.commands.options import common
from infinipot_cli.config import KEYS, load_config
from infinipot_cli.places import config_file

app = typer.Typer(no_args_is_help=True, help="Show the settings and where they come from.\n\ninfinipot config show")


@app.command()
def path(debug: common.Debug = False) -> None:
    """Print where your settings are, or would be.

    $EDITOR "$(infinipot config path)"
    """
    from infinipot_cli.display.listing import put

    put(str(config_file()))


@app.command()
def show(
    json: common.Json = False, no_pager: common.NoPager = False, plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:  # fmt: skip
    """Print every setting, its value and its origin.

    Flags win over environment variables, those over ./infinipot.toml, that over your own file, that over the default.
    """
    from infinipot_cli.display.listing import show_rows

    config = load_config()
    rows = []
    for key, setting in KEYS.items():
        found = config.values.get(key)
        value, origin = (found.value, found.origin) if found else (setting.default, "default")
        if key == "model.default":
            value, origin = config.default_model.value, config.default_model.origin
        rows.append({"key": key, "value": value, "origin": origin})
    for table, held in (
        ("model.aliases", config.aliases), ("loaders", config.loaders), ("templates", config.templates),
    ):  # fmt: skip
        for name, value in held.items():
            key = f"{table}.{name}"
            rows.append({"key": key, "value": value, "origin": config.origins[key]})
    if not json:
        for row in rows:
            row["value"] = _shown(str(row["key"]), row["value"])
    show_rows(rows, as_json=json, pager=not no_pager, plain=plain)


def _shown(key: str, value: object) -> object:
    """A value as people read it."""
    from infinipot_cli.display.summary import size

    if value is None:
        return "random" if key == "answer.seed" else "automatic"
    return size(int(str(value))) if key == "pot.cache_limit" else value
