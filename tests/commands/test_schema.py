"""What `infinipot schema` promises, held to every command that prints JSON by the library that others would use."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from infinipot_cli import history
from infinipot_cli.app import app
from infinipot_cli.choice import NAMES

SMALL = ["-s", "400", "-n", "20"]
ONE = history.Entry(1.5, "ask", ("a.txt", "b.txt"), "@one", "pocket", "Who?", "Nobody.", 100, 0.25)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("schema").stdout)
    return found


def closed(schema: Any) -> Any:
    """The same with nothing allowed that it does not name: what is printed shall be documented."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(inner) for key, inner in schema.items()}
    return {"additionalProperties": False, **made} if isinstance(schema.get("properties"), dict) else made


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(closed(schema))


def faults(validator: Draft202012Validator, document: str) -> list[str]:
    return [f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(json.loads(document))]


def test_it_is_a_schema_and_knows_every_setting(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    answered, *_ = schema["properties"]["pot"]["anyOf"]
    assert tuple(answered["properties"]["choice"]["properties"]) == NAMES


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({}, "'schema' is a required property"),
        ({"schema": 2}, "1 was expected"),
        ({"schema": 1, "answre": "x"}, "'answre' was unexpected"),
        ({"schema": 1, "is_cut": "no"}, "'no' is not of type 'boolean'"),
        ({"schema": 1, "error": {"code": "x"}}, "is a required property"),
        ({"schema": 1, "rows": [1]}, "1 is not of type 'object'"),
    ],
)
def test_what_it_does_not_say_is_found(record: dict[str, Any], fault: str, validator: Draft202012Validator) -> None:
    assert any(fault in line for line in faults(validator, json.dumps(record)))


def test_every_json_document_is_as_the_schema_says(
    home: Path, story: Path, tiny_model: Path, validator: Draft202012Validator
) -> None:
    words = [str(story), "-m", str(tiny_model), *SMALL]
    empty = Path("empties")
    empty.mkdir()
    (empty / "bad.txt").write_bytes(bytes(range(256)) * 9)
    log = Path("app.log")
    log.write_text("".join(f"2026-05-03 10:00:{n:02} {'ERROR' if n == 7 else 'INFO'} request {n}\n" for n in range(60)))
    history.record(ONE)
    for command in (
        ["ask", *words, "Who?", "--json"],
        ["ask", *words, "Who?", "--explain", "--verify", "--json"],
        ["ask", *words, "-Q", "Who?", "-Q", "When?", "--json"],
        ["ask", *words, "-Q", "Who?", "-Q", "When?", "--jsonl"],
        ["ask", "missing.txt", "Who?", "--json"],
        ["ask", *words, "Who?", "--nope", "--json"],
        ["ask", *words, "Who?", "--dry-run", "--json"],
        ["explain", *words, "Who?", "--page", "2", "--json"],
        ["summarize", *words, "missing.txt", "--json"],
        ["summarize", *words, "--json"],
        ["summarize", str(story), "missing.txt", *words[1:], "--dry-run", "--json"],
        ["summarize", str(log), *words[1:], "--json"],
        ["summarize", str(log), *words[1:], "--json", "--pick"],
        ["info", *words[:-2], "--json"],
        ["info", str(empty), str(story), "-m", str(tiny_model), "--json"],
        ["read", *words[:-2], "--save-pot", "story", "--json"],
        ["ask", "@story", "Who?", "-n", "8", "--json"],
        ["pots", "show", "story", "--json"],
        ["pots", "show", "nowhere", "--json"],
        ["history", "show", "1", "--json"],
        ["history", "show", "99", "--json"],
        ["history", "status", "--json"],
    ):
        result = run(*command)
        documents = result.stdout.splitlines() if "--jsonl" in command else [result.stdout]
        for document in documents:
            assert faults(validator, document) == [], command


def test_a_list_has_a_row_for_each_thing_and_the_same_names_in_each(
    home: Path, story: Path, tiny_model: Path, validator: Draft202012Validator
) -> None:
    (home / "templates").mkdir(parents=True)
    (home / "templates" / "minutes.md").write_text("{document}\n\nList the decisions.\n")
    assert run("read", str(story), "-m", str(tiny_model), "-s", "400", "--save-pot", "one", "-q").exit_code == 0
    for _ in range(2):
        history.record(ONE)
    for command in ("models list", "doctor", "templates list", "history list", "pots list", "config show"):
        shown = run(*command.split(), "--json")
        assert (shown.exit_code, faults(validator, shown.stdout)) == (0, []), command
        rows = json.loads(shown.stdout)["rows"]
        assert rows and all(list(row) == list(rows[0]) for row in rows), command
