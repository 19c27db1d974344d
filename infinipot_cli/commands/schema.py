"""`infinipot schema`: what `--json` promises."""

from pathlib import Path

from infinipot_cli.commands.options import common

SCHEMA_FILE = Path(__file__).parent.parent / "answer.schema.json"


def schema(debug: common.Debug = False) -> None:
    """Print the JSON Schema of what --json and --jsonl print; changes to it only add.

    infinipot schema > answer.schema.json
    """
    from infinipot_cli.display.listing import put

    put(SCHEMA_FILE.read_text(encoding="utf-8"))
