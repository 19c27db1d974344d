"""The user's settings: `infinipot.toml` here, `config.toml` at home, each value with its origin.

Flags and environment variables win over both; that order is Typer's own, which asks its map of defaults last.
"""

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infinipot_cli import settings
from infinipot_cli.errors import UsageError
from infinipot_cli.places import CONFIG_VARIABLE, config_file

PROJECT_FILE = "infinipot.toml"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text in quotes")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError("a number")
    return float(value)


def _size(value: object) -> int:
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise ValueError("a size such as 4096 or '4k'")
    if (size := settings.parse_size(value)) < 1:
        raise ValueError("a size above 0")
    return size


def _bytes(value: object) -> int:
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise ValueError("a size such as '512MiB'")
    return settings.parse_bytes(value)


def _command(value: object) -> str:
    import shlex  # seldom needed, and every command waits for this module

    wanted = "a command in quotes in which $1 stands for the file"
    try:
        words = shlex.split(value) if isinstance(value, str) else []
    except ValueError:
        raise ValueError(wanted) from None
    if not words or not any("$1" in word for word in words[1:]):
        raise ValueError(wanted)
    return str(value)


def _color(value: object) -> str:
    if value not in list(settings.Color):
        raise ValueError(" or ".join(repr(str(color)) for color in settings.Color))
    return str(value)


@dataclass(frozen=True)
class Key:
    """A setting: the parameter of the commands that it is the default of, how it is read, and what holds without it."""

    parameter: str
    read: Callable[[object], object]
    default: object


KEYS: Mapping[str, Key] = {
    "model.default": Key("model", _text, settings.DEFAULT_MODEL),
    "model.device": Key("device", _text, "auto"),
    "model.text_only": Key("text_only", _flag, False),
    "pot.size": Key("pot_size", _size, None),
    "pot.budget": Key("budget", _size, None),
    "pot.novelty": Key("novelty", _number, settings.NOVELTY_RATIO),
    "pot.chunk": Key("chunk", _size, settings.CHUNK),
    "pot.cache_limit": Key("cache_limit", _bytes, settings.parse_bytes(settings.CACHE_LIMIT)),
    "answer.max_tokens": Key("max_tokens", _size, None),
    "answer.temperature": Key("temperature", _number, 0.0),
    "answer.top_p": Key("top_p", _number, 1.0),
    "answer.seed": Key("seed", _whole, None),
    "output.quiet": Key("quiet", _flag, False),
    "output.cite": Key("cite", _flag, True),
    "output.color": Key("color", _color, str(settings.Color.AUTO)),
}
TEMPLATE_KEYS: Mapping[str, Callable[[object], object]] = {"question": _text, "system": _text, "max_tokens": _size}


@dataclass(frozen=True)
class Value:
    """A setting's value and where it comes from."""

    value: object
    origin: str


@dataclass
class Config:
    """All files together; the nearer one wins.

    Attributes:
        values: by dotted key, only those that a file sets.
        aliases: short names of models.
        templates: by name, the keys of `TEMPLATE_KEYS`.
        loaders: commands that turn other formats into text, by the ending of a file's name.
        origins: where each alias, template and loader comes from, by dotted key.
    """

    values: dict[str, Value] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    loaders: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def default_map(self) -> dict[str, object]:
        """Defaults by parameter of a command."""
        return {KEYS[key].parameter: found.value for key, found in self.values.items()}

    @property
    def default_model(self) -> Value:
        """The model that answers where the command line names none, and what names it."""
        if name := os.environ.get(settings.MODEL_VARIABLE):
            return Value(name, settings.MODEL_VARIABLE)
        return self.values.get("model.default", Value(settings.DEFAULT_MODEL, "default"))

    def note(self, table: str, names: Iterable[str], path: Path) -> None:
        """Remember which file entries of a table come from; the nearer one wins."""
        self.origins.update({f"{table}.{name}": str(path) for name in names})


def load_config() -> Config:
    """Read the settings of the user and of the current folder.

    Raises:
        UsageError: a file cannot be read, or sets what does not exist.
    """
    config = Config()
    project = Path(PROJECT_FILE)
    for path in (config_file(), *(() if _is_own(project) else (project,))):
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors begin with a mark
        except (FileNotFoundError, NotADirectoryError):
            if path == config_file() and os.environ.get(CONFIG_VARIABLE):
                hint = f"{CONFIG_VARIABLE} names it; unset that, or write the file"
                raise UsageError(f"there are no settings in {path}", hint=hint, code="config") from None
            continue
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error  # which names the file once more
            raise UsageError(f"{path} cannot be read: {why}", code="config") from error
        _merge(config, text, path)
    return config


def _is_own(project: Path) -> bool:
    """Whether the settings of this folder are the user's own file, under whatever name."""
    try:
        return project.samefile(config_file())
    except OSError:
        return False


def _merge(config: Config, text: str, path: Path) -> None:
    tables = _parse(text, path)
    known = {key.split(".")[0] for key in KEYS} | {"templates", "loaders"}
    for name, table in tables.items():
        if name not in known:
            _refuse_unknown(name, known, path)
        if not isinstance(table, dict):
            raise UsageError(f"{name} in {path} must be a table", hint=f"[{name}] on a line of its own", code="config")
        if name == "templates":
            for template, entries in table.items():
                config.templates[template] = _template(template, entries, path)
            config.note("templates", table, path)
            continue
        if name == "loaders":
            config.loaders.update(_loaders(table, path))
            config.note("loaders", table, path)
            continue
        for key, value in table.items():
            dotted = f"{name}.{key}"
            if dotted == "model.aliases":
                config.aliases.update(aliases := _aliases(value, path))
                config.note(dotted, aliases, path)
            elif dotted in KEYS:
                config.values[dotted] = Value(_checked(KEYS[dotted].read, value, dotted, path), str(path))
            else:
                _refuse_unknown(dotted, {*KEYS, "model.aliases"}, path)


def _parse(text: str, path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no valid TOML: {error}", code="config") from error


def _checked(read: Callable[[object], object], value: object, key: str, path: Path) -> object:
    try:
        return read(value)
    except ValueError as error:
        raise UsageError(f"{key} in {path} must be {error}, not {value!r}", code="config") from None
    except UsageError as error:
        raise UsageError(f"{key} in {path}: {error.message}", hint=error.hint, code="config") from None


def _aliases(value: object, path: Path) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UsageError(f"model.aliases in {path} must be a table", hint='aliases = { big = "./Qwen3-8B" }')
    if settings.DEFAULT_MODEL in value:
        problem = f"model.aliases in {path}: {settings.DEFAULT_MODEL} is the built-in model and no alias"
        raise UsageError(problem, hint="choose another name", code="config")
    return {name: str(_checked(_text, target, f"model.aliases.{name}", path)) for name, target in value.items()}


def _loaders(table: Mapping[str, object], path: Path) -> dict[str, str]:
    if path != config_file():  # a folder that one walks into must not choose what runs
        raise UsageError(
            f"[loaders] in {path} would run programs, which only your own settings may",
            hint=f"write it in {config_file()}",
            code="config",
        )
    return {ending: str(_checked(_command, found, f"loaders.{ending}", path)) for ending, found in table.items()}


def _template(name: str, entries: object, path: Path) -> dict[str, Any]:
    if not isinstance(entries, dict):
        raise UsageError(f"templates.{name} in {path} must be a table", hint=f"[templates.{name}]", code="config")
    if not entries:
        raise UsageError(f"templates.{name} in {path} is empty", hint='question = "…" says what it asks', code="config")
    for key in entries:
        if key not in TEMPLATE_KEYS:
            _refuse_unknown(f"templates.{name}.{key}", {f"templates.{name}.{known}" for known in TEMPLATE_KEYS}, path)
    return {key: _checked(TEMPLATE_KEYS[key], value, f"templates.{name}.{key}", path) for key, value in entries.items()}


def _refuse_unknown(name: str, known: set[str], path: Path) -> None:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    raise UsageError(f"there is no setting {name} ({path})", hint=hint, code="config")


def without_value(text: str, table: str, key: str) -> str:
    """A settings file with one entry taken out, everything else as it stands, comments too.

    Args:
        text: the file so far.
        table: such as `model.aliases`.
        key: within that table.

    Raises:
        UsageError: the file is written in a way that this cannot change.
    """
    wanted = _parse(text, config_file())
    inner = wanted
    for part in table.split("."):
        inner = inner.get(part, {})
    inner.pop(key, None)
    lines = text.splitlines()
    if (made := _with_inline(lines, table, inner, wanted)) is not None:
        return made
    names = (key, json.dumps(key, ensure_ascii=False))
    for number, line in enumerate(lines):
        made = "\n".join([*lines[:number], *lines[number + 1 :]]) + "\n"
        if line.split("=")[0].strip() in names and _is_same(made, wanted):
            return made
    raise UsageError(f"{config_file()} cannot be changed here", hint=f"take {key} out of [{table}] yourself")


def _with_inline(lines: Sequence[str], table: str, inner: Mapping[str, object], wanted: object) -> str | None:
    """The file where a table stands in one line, as in `aliases = { big = "…" }`; None where it does not."""
    body = ", ".join(f"{_toml_name(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in inner.items())
    body = f"{{ {body} }}" if body else "{}"
    for number, line in enumerate(lines):
        name = line.split("=")[0].strip()
        if name in (table, table.split(".")[-1]) and line.rstrip().endswith("}"):
            made = "\n".join([*lines[:number], f"{name} = {body}", *lines[number + 1 :]]) + "\n"
            if _is_same(made, wanted):
                return made
    return None


def _is_same(text: str, wanted: object) -> bool:
    import tomllib

    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _toml_name(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def with_value(text: str, table: str, key: str, value: str) -> str:
    """A settings file with one text value set, everything else as it stands, comments too.

    Args:
        text: the file so far.
        table: such as `model` or `model.aliases`.
        key: within that table.
        value: the new text.

    Raises:
        UsageError: the file is written in a way that this cannot extend.
    """
    name = _toml_name(key)
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    wanted = _parse(text, config_file())
    inner = wanted
    for part in table.split("."):
        inner = inner.setdefault(part, {})
    inner[key] = value
    lines = text.splitlines()
    if (made := _with_inline(lines, table, inner, wanted)) is not None:
        return made
    heads = [number for number, old in enumerate(lines) if old.split("#")[0].strip() == f"[{table}]"]
    if heads:
        end = next((n for n in range(heads[0] + 1, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
        old = [n for n in range(heads[0] + 1, end) if lines[n].split("=")[0].strip() == name]
        if old:
            lines[old[0]] = line
        else:
            lines.insert(heads[0] + 1, line)
    else:
        lines += [*([""] if lines else []), f"[{table}]", line]
    made = "\n".join(lines) + "\n"
    if _is_same(made, wanted):
        return made
    raise UsageError(
        f"{config_file()} cannot be changed here", hint=f"write it there yourself, in the table {table}: {line}"
    )
