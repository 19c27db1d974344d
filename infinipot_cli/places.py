"""Where infinipot keeps what is the user's: settings, pots, caches. INFINIPOT_HOME puts all of it into one folder.

INFINIPOT_CONFIG names the file of settings alone.
"""

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platformdirs import PlatformDirs

HOME_VARIABLE = "INFINIPOT_HOME"
CONFIG_VARIABLE = "INFINIPOT_CONFIG"
# What the user may call a pot or a model: a word that needs no quotes, and is a file's name everywhere.
OWN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def config_folder() -> Path:
    """Holds `config.toml` and the user's templates."""
    return _home() or Path(_dirs().user_config_dir)


def config_file() -> Path:
    """The user's settings, whether or not they exist."""
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(os.path.expanduser(named)) if named else config_folder() / "config.toml"


def data_folder() -> Path:
    """Holds what the user made and would miss."""
    return _home() or Path(_dirs().user_data_dir)


def cache_folder() -> Path:
    """Holds what can be made again."""
    home = _home()
    return home / "cache" if home else Path(_dirs().user_cache_dir)


def state_folder() -> Path:
    """Holds what is worth keeping, but not worth carrying to another machine."""
    home = _home()
    return home / "state" if home else Path(_dirs().user_state_dir)


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which may have to be made first; nothing is made here."""
    # what may not even be looked at is as good as not there
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def making(folder: str | Path) -> str:
    """The hint where a folder that shall take a file is not there."""
    return f"make it first: mkdir {'' if os.name == 'nt' else '-p '}{shlex.quote(str(folder))}"


def _home() -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    return Path(os.path.expanduser(home)) if home else None


def _dirs() -> "PlatformDirs":
    from platformdirs import PlatformDirs

    return PlatformDirs("infinipot", appauthor=False)
