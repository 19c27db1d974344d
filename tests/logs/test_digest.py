"""Digests of logs: the same events written by different programs, texts that are no logs, and flat memory."""

import itertools
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.display.digest import digest_lines, digest_record
from infinipot_cli.logs import Digest, Level, repeated
from infinipot_cli.logs.level import guess_level
from infinipot_cli.logs.line import LineReader
from infinipot_cli.logs.repeated import Repetitions, shape
from infinipot_cli.logs.trace import CHAINED, TRACEBACK
from tests.logs.small_logs import digest

Event = tuple[datetime, Level, str]
START = datetime(2024, 3, 5, 23, 58, 20, 250_000, UTC)


def events(n: int = 120) -> list[Event]:
    """Events with one gap of an hour, errors that repeat and one that does not."""
    chance = random.Random(3)
    made, time = [], START
    for number in range(n):
        time += timedelta(seconds=chance.randrange(1, 5)) + (timedelta(hours=1) if number == 70 else timedelta())
        level = chance.choices([Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR], [3, 8, 2, 1])[0]
        text = {
            Level.DEBUG: f"cache holds {chance.randrange(999)} entries",
            Level.INFO: f"request {chance.randrange(10**6)} served",
            Level.WARNING: f"disk is {chance.randrange(80, 99)} % full",
            Level.ERROR: f"connection to 10.0.0.{number} refused",
        }[level]
        made.append((time, level, text) if number != 55 else (time, Level.FATAL, "the ledger does not balance"))
    return made


def iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


WORD = {Level.WARNING: "warn", Level.FATAL: "crit"}
NUMBER = {Level.DEBUG: 20, Level.INFO: 30, Level.WARNING: 40, Level.ERROR: 50, Level.FATAL: 60}
PRIORITY = {Level.DEBUG: 7, Level.INFO: 6, Level.WARNING: 4, Level.ERROR: 3, Level.FATAL: 2}
EVENT = {Level.DEBUG: "Verbose", Level.INFO: "Information", Level.FATAL: "Critical"}
POSTGRES = {Level.INFO: "LOG"}
SHORT = {Level.DEBUG: "DBG", Level.INFO: "INF", Level.WARNING: "WRN", Level.ERROR: "ERR", Level.FATAL: "FTL"}
FORMATS: dict[str, Callable[[datetime, Level, str], str]] = {
    "python": lambda time, level, text: f"{iso(time)},250 - app.db - {level.name} - {text}",
    "log4j": lambda time, level, text: f"{iso(time)}.250 [main] {level.name:<5} com.example.App - {text}",
    "container": lambda time, level, text: f"{time:%Y-%m-%dT%H:%M:%S}.250000000Z stdout F {level.name}: {text}",
    "syslog": lambda time, level, text: f"<{8 + PRIORITY[level]}>{time:%b %e %H:%M:%S} host app[12]: {text}",
    "rfc5424": lambda time, level, text: f"<{8 + PRIORITY[level]}>1 {time:%Y-%m-%dT%H:%M:%S.%f}Z h a - - - {text}",
    "nginx": lambda time, level, text: f"{time:%Y/%m/%d %H:%M:%S} [{WORD.get(level, level.name.lower())}] 9#0: {text}",
    "apache": lambda time, level, text: f"[{time:%a %b %d %H:%M:%S.%f %Y}] [core:{level.name.lower()}] [pid 9] {text}",
    "json": lambda time, level, text: json.dumps({"ts": time.isoformat(), "level": level.name, "msg": text}),
    "pino": lambda time, level, text: json.dumps({"level": NUMBER[level], "time": time.timestamp() * 1e3, "msg": text}),
    "logfmt": lambda time, level, text: f'time={time:%Y-%m-%dT%H:%M:%SZ} level={level.name.lower()} msg="{text}"',
    "glog": lambda time, level, text: f"{level.name[0]}{time:%m%d %H:%M:%S.%f}    77 file.cc:8] {text}",
    "glog with a year": lambda time, level, text: f"{level.name[0]}{time:%Y%m%d %H:%M:%S.%f}    77 file.cc:8] {text}",
    "ruby": lambda time, level, text: (
        f"{level.name[0]}, [{time:%Y-%m-%dT%H:%M:%S.%f} #12] {WORD.get(level, level.name).upper():>5} -- app: {text}"
    ),
    "journal": lambda time, level, text: json.dumps(
        {"__REALTIME_TIMESTAMP": f"{time.timestamp() * 1e6:.0f}", "PRIORITY": str(PRIORITY[level]), "MESSAGE": text}
    ),
    "docker": lambda time, level, text: json.dumps(
        {"log": f"{level.name} {text}\n", "stream": "stderr", "time": f"{time:%Y-%m-%dT%H:%M:%S}.250000000Z"}
    ),
    "day first": lambda time, level, text: (
        f"{time:%d-%m-%Y %H:%M:%S}.250 [main] {level.name:<5} com.example.App - {text}"
    ),
    "american": lambda time, level, text: f"{time:%m/%d/%Y %I:%M:%S %p} {level.name} {text}",
    "android": lambda time, level, text: f"{time:%m-%d %H:%M:%S}.250   77    78 {level.name[0]} Tag: {text}",
    "android, brief": lambda time, level, text: f"{level.name[0]}/Tag(  {time:%S}): {text}",
    "android, time": lambda time, level, text: f"{time:%m-%d %H:%M:%S}.250 {level.name[0]}/My Tag(  77): {text}",
    "journal, full": lambda time, level, text: f"{time:%a %Y-%m-%d %H:%M:%S} CET host app[1]: {level.name}: {text}",
    "postgres": lambda time, level, text: (
        f"{iso(time)}.250 CET [12] ann@shop {POSTGRES.get(level, level.name)}:  {text}"
    ),
    "spark": lambda time, level, text: f"{time:%y/%m/%d %H:%M:%S} {level.name} executor.Executor: {text}",
    "clock": lambda time, level, text: f"{time:%H:%M:%S}.250 [main] {level.name} App - {text}",
    "bare": lambda time, level, text: f"{level.name}: {text}",
    "tomcat": lambda time, level, text: f"{time:%d-%b-%Y %H:%M:%S}.250 {level.name} [main] com.example.App.run {text}",
    "php": lambda time, level, text: f"[{time:%d-%b-%Y %H:%M:%S} Europe/Rome] PHP {level.name.title()}:  {text}",
    "day and month": lambda time, level, text: f"{time:%d %b %Y %H:%M:%S} {level.name} {text}",
    "american, 24 hours": lambda time, level, text: f"{time:%m/%d/%Y %H:%M:%S}.250 - {level.name} - {text}",
    "docker compose": lambda time, level, text: f"web-1  | {time:%Y-%m-%dT%H:%M:%S}Z {level.name} {text}",
    "kubectl": lambda time, level, text: f"[pod/web-7d/app] {time:%Y-%m-%dT%H:%M:%S}Z {level.name} {text}",
    "celery": lambda time, level, text: f"[{iso(time)},250: {level.name}/ForkPoolWorker-2] {text}",
    "level first": lambda time, level, text: f"{level.name} [{iso(time)},250] app: {text}",
    "no seconds": lambda time, level, text: f"{time:%Y-%m-%d %H:%M} {level.name} {text}",
    "rows": lambda time, level, text: f'"{time:%Y-%m-%dT%H:%M:%SZ}","web","{level.name}","{text}"',
    "serilog": lambda time, level, text: f"{iso(time)}.250 +00:00 [{SHORT[level]}] {text}",
    "compact events": lambda time, level, text: json.dumps(
        {"@t": time.isoformat(), "@mt": text, "@l": level.name.title()}
    ),
    "mongo": lambda time, level, text: json.dumps(
        {"t": {"$date": time.isoformat()}, "s": level.name[0], "c": "NETWORK", "id": 9, "ctx": "conn", "msg": text}
    ),
    "elastic": lambda time, level, text: json.dumps(
        {"@timestamp": time.isoformat(), "log": {"level": level.name.lower(), "logger": "app"}, "message": text}
    ),
    "google cloud": lambda time, level, text: json.dumps(
        {"timestamp": time.isoformat(), "severity": level.name, "jsonPayload": {"message": text}}
    ),
    "graylog": lambda time, level, text: json.dumps(
        {"version": "1.1", "timestamp": time.timestamp(), "level": PRIORITY[level], "short_message": text}
    ),
    "events of windows": lambda time, level, text: (
        f"{EVENT.get(level, level.name.title())},{time.month}/{time.day}/{time:%Y %I:%M:%S %p},App,7001,None,{text}"
    ),
    "events of windows, tabs": lambda time, level, text: (
        f"{EVENT.get(level, level.name.title())}\t{iso(time)}\tApp\t7001\tNone\t{text}"
    ),
    "opentelemetry": lambda time, level, text: json.dumps(
        {"time_unix_nano": f"{time.timestamp() * 1e9:.0f}", "severity_text": level.name, "body": text}
    ),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_program_is_understood_alike(form: str) -> None:
    happened = events()
    made = digest("\n".join(FORMATS[form](*event) for event in happened) + "\n")
    assert made.is_log
    assert made.n_lines == made.n_entries == len(happened)
    assert made.levels == Counter(level for _, level, _ in happened)
    bad = [number for number, (_, level, _) in enumerate(happened, start=1) if level >= Level.ERROR]
    assert made.first_error is not None and made.last_error is not None
    assert (made.first_error.line, made.last_error.line) == (bad[0], bad[-1])
    assert made.last_error.message.endswith(happened[bad[-1] - 1][2])
    assert made.has_levels
    most = made.frequent_errors(1)[0]
    assert most.n == len(bad) - 1 and "refused" in most.message
    assert [made.frequent_messages(1)[0].n] == [made.levels[Level.INFO]]
    if form == "american, 24 hours":  # which number is the month?
        assert made.span is None and made.first_stamp == f"{happened[0][0]:%m/%d/%Y %H:%M:%S}"
    elif form not in ("bare", "clock", "android, brief"):  # no date: nothing to say, or midnight in between
        assert made.span is not None
        coarse = timedelta(minutes=1) if form == "no seconds" else timedelta(seconds=1)
        assert abs(made.span - (happened[-1][0] - happened[0][0])) < coarse
        assert made.silence[1] == 71 and abs(made.silence[0] - timedelta(hours=1)) < 6 * coarse


@given(st.lists(st.integers(0, 12_000), max_size=8))
def test_cutting_the_text_changes_nothing(cuts: list[int]) -> None:
    text = "\n".join(FORMATS["python"](*event) for event in events())
    whole, cut = digest(text), Digest()
    edges = [0, *sorted(cuts), len(text)]
    for start, end in itertools.pairwise(edges):
        cut.push(text[start:end])
    cut.close()
    for name in ("n_lines", "levels", "first_error", "last_error", "first_stamp", "last_stamp", "silence"):
        assert getattr(cut, name) == getattr(whole, name), name


def test_a_log_without_levels_is_judged_by_its_words() -> None:
    said = [
        "session opened for root",
        "Failed password for root",
        "done with 0 errors",
        "no error found",
        "kernel: oops",
    ]
    made = digest("\n".join(f"May  3 12:00:0{number} host app[1]: {text}" for number, text in enumerate(said)))
    assert not made.has_levels
    assert made.n_errors == 1
    assert made.first_error is not None and made.first_error.line == 2


@pytest.mark.parametrize(
    "text",
    [
        *("backup finished, errors: 0", "12 passed, 0 failed", "completed without any error", "no failed units"),
        *("0 errors", "0 failed", "Failed=0", "done (0 failures)", "zero exceptions", "no error found", "0 Error(s)"),
    ],
)
def test_what_denies_an_error_is_none(text: str) -> None:
    assert guess_level(text) is Level.NONE
    for trouble in ("3 failed", "worker 0 failed", "errors: 10", "errors: 0.5", "10.0.0.0 failed", "a ValueError"):
        assert guess_level(f"{text}, {trouble}") is guess_level(trouble) is Level.ERROR, trouble


def test_what_postgresql_says_beside_an_error_is_none() -> None:
    said = [
        "ERROR:  no such table at character 15",
        "STATEMENT:  INSERT INTO t (ERROR, a) VALUES ('failed')",
        "LOG:  duration: 9 ms  statement: SELECT 1 WHERE state = 'failed'",
        "DETAIL:  Process 7 failed.",
        "HINT:  errors may follow",
        "CONTEXT:  an exception",
        "FATAL:  the database system is shutting down",
    ]
    stamps = (
        *("2026-01-01 10:00:00.250 CET [7] ", "2026-01-01 10:00:00 UTC:10.0.0.1(5):ann@shop:[7]:"),
        *("May  3 12:00:00 host postgres[7]: [3-1] ", "2026-01-01 10:00:00 UTC [7] ann@shop "),
    )
    for stamp in stamps:
        made = digest("\n".join(stamp + text for text in said))
        assert made.levels == {Level.ERROR: 1, Level.INFO: 5, Level.FATAL: 1} and made.has_levels, stamp
        assert made.first_error is not None and made.first_error.message == "no such table at character 15"
    assert not digest("\n".join(said[1:6])).n_entries  # without a time they may be of any text


def test_the_exception_behind_an_error_is_part_of_it() -> None:
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: too small'
    text = f"2024-05-03 12:00:00 ERROR failed\n{trace}\n" + "2024-05-03 12:00:01 INFO fine\n" * 5 + trace + "\n"
    made = digest(text)
    assert made.first_error is not None and made.last_error is not None
    assert made.first_error.message == "failed — ValueError: too small"
    assert (made.last_error.line, made.last_error.message) == (10, "ValueError: too small")
    assert made.n_errors == 2


def test_chained_tracebacks_are_one_error() -> None:
    trace = ["Traceback (most recent call last):", '  File "a.py", line 3, in f', "    g()"]
    chained = ["", "During handling of the above exception, another exception occurred:", ""]
    first, second = [*trace, "psycopg.errors.Unavailable: no route"], [*trace, "app.Refused: not now"]
    lines = [f"2024-03-05 10:00:0{number} INFO served" for number in range(5)]
    behind = digest("\n".join([*lines, "2024-03-05 10:01:00 ERROR oops", *first, *chained, *second, *lines]))
    alone = digest("\n".join([*lines, *first, *chained, *second, *lines]))
    assert behind.n_errors == alone.n_errors == 1
    assert behind.last_error is not None and alone.last_error is not None
    assert behind.last_error.message == "oops — psycopg.errors.Unavailable: no route"
    assert (alone.last_error.line, alone.last_error.message) == (6, "psycopg.errors.Unavailable: no route")


def test_what_caused_an_exception_of_java_in_the_end_is_named() -> None:
    trace = [
        "java.lang.IllegalStateException: cannot place the order",
        "\tat com.example.Orders.place(Orders.java:88)",
        "Caused by: com.example.StoreException: no store",
        "\t... 42 more",
        "Caused by: java.net.ConnectException: Connection refused",
        "\t... 57 more",
    ]
    lines = [f"2024-03-05 10:00:0{number} INFO served" for number in range(6)]
    made = digest("\n".join([*lines, f"2024-03-05 10:01:00 ERROR {'far ' * 200}", *trace, *lines, *trace]))
    assert made.n_errors == 1 and made.last_error is not None and len(made.last_error.message) <= 300
    shown = made.last_error.message.split(" — ")
    assert shown[0].startswith("far far") and shown[1:] == [trace[0], trace[4]]


def python_trace(number: int) -> list[str]:
    frames = [f'  File "/a{frame}.py", line {frame}, in f\n    call()' for frame in range(9)]
    return [TRACEBACK, *frames, f"app.Refused: bad {number}", "", CHAINED[0], "", TRACEBACK, *frames, "ValueError: no"]


def java_trace(number: int) -> list[str]:
    frames = [f"\tat com.example.Orders.place{frame}(Orders.java:88)" for frame in range(45)]
    return [f"java.lang.IllegalStateException: {number}", *frames, "Caused by: com.example.NoStore", *frames[:9]]


@pytest.mark.parametrize("trace", [python_trace, java_trace])
@pytest.mark.parametrize("front", ["", "web-1  | "])
def test_a_log_of_errors_with_a_trace_each_is_one(trace: Callable[[int], list[str]], front: str) -> None:
    lines = [
        line
        for number in range(40)
        for line in (f"2026-01-01 10:00:{number:02},123 ERROR app.web: job {number} failed", *trace(number))
    ]
    lines = [front + line for line in "\n".join(lines).split("\n")]
    made = digest("\n".join(lines))
    assert made.is_log and made.levels == {Level.ERROR: 40} and made.n_lines == len(lines)
    assert made.first_error is not None and made.first_error.message.startswith("app.web: job 0 failed — ")
    cut = Digest()
    cut.push("\n".join(lines[: len(trace(0)) * 4]))
    assert not cut.is_settled and not cut.is_log  # fewer entries than a log has


STAMP = "2026-01-01 10:00:00 it began\n"
LABELS = (
    "static int f{0}(void) {{\n    int error = g();\n    if (error)\n        goto error;\nerror:\n    return 1;\n}}\n"
)


@pytest.mark.parametrize(
    "text",
    [
        STAMP + "Prose goes on.\n" * 60,
        "A verse\n  and one that is indented,\n" + STAMP + "\n  a stanza\n  of two lines\n" * 60,
        STAMP + "# Heading\n\n- a list\n    - in a list\n\n    indented code\n" * 60,
        (STAMP + "One line of prose,\nand one more,\nand the last.\n\n    indented code\n") * 60,
        "".join(LABELS.format(number) for number in range(60)),
        "def f():\n" + '    raise ValueError("no")\n' * 9 + "class NoError(Exception):\n    pass\n" * 60,
        "\n".join([*python_trace(0), *java_trace(0)] * 20),
    ],
    ids=["prose", "poem", "markdown", "dated notes", "C", "Python", "traces alone"],
)
def test_indented_lines_and_dates_make_no_log(text: str) -> None:
    assert not digest(text).is_log


def test_a_table_whose_second_column_is_a_time_is_no_log() -> None:
    rows = [f"alice{'x' * number} | 2024-03-05 10:00:0{number} | {number}" for number in range(9)]
    assert not digest("\n".join(rows)).is_log
    named = [f"my_db | 2024-03-05 10:00:0{number} UTC [1] LOG:  checkpoint" for number in range(9)]
    assert digest("\n".join(named)).is_log


def test_the_traceback_in_a_container_belongs_to_its_error() -> None:
    lines = [f"2024-03-05 10:00:0{number} {'ERROR oops' if number == 4 else 'INFO served'}" for number in range(5)]
    lines += ["Traceback (most recent call last):", '  File "a.py", line 3, in f', "ValueError: no"]
    made = digest("\n".join(f"web-1  | {line}" for line in lines))
    assert made.n_errors == 1 and made.last_error is not None and made.last_error.message == "oops — ValueError: no"


@pytest.mark.parametrize(
    "wrapped", ["{}", "2024-03-05T10:00:00Z {}", "2024-03-05T10:00:00Z stderr F {}", "web-1  | {}"]
)
def test_an_object_of_any_usual_length_is_read_whole(wrapped: str) -> None:
    said = [("info", "served", "")] * 50 + [("error", "order failed", "at com.example.Orders " * 320)] * 3
    rows = [
        json.dumps({"ts": "2024-03-05T10:00:00Z", "stack_trace": trace, "level": level, "msg": text})
        for level, text, trace in said
    ]
    made = digest("\n".join(wrapped.format(row) for row in rows))
    assert made.levels == {Level.INFO: 50, Level.ERROR: 3} and made.n_lines == 53
    assert made.last_error is not None and made.last_error.message == "order failed"


@pytest.mark.parametrize("wrapper", ["docker", "kubectl", "containerd"])
def test_a_wrapped_record_says_its_level_itself(wrapper: str) -> None:
    said = [("info", "ok"), ("info", "ok"), ("error", "no disk"), ("warn", "late"), ("", "plain"), ("info", "ok")]
    made = Digest()
    for number, (level, text) in enumerate(said):
        stamp = f"2024-03-05T10:00:0{number}.25Z"
        inner = json.dumps({"ts": 5, **({"level": level} if level else {}), "msg": text, "error": None})
        docker = json.dumps({"log": f"{inner}\n", "stream": "stdout", "time": stamp})
        rest = {"kubectl": inner, "containerd": f"stdout F {inner}"}.get(wrapper, "")
        made.push(f"{stamp} {rest}\n" if rest else f"{docker}\n")
    made.close()
    assert made.levels == {Level.INFO: 3, Level.ERROR: 1, Level.WARNING: 1, Level.NONE: 1} and made.has_levels
    assert made.first_error is not None
    assert (made.first_error.message, made.first_error.stamp) == ("no disk", "2024-03-05T10:00:02.25Z")
    assert made.span == timedelta(seconds=5)


def test_a_long_message_ends_where_it_is_cut_with_a_mark() -> None:
    made = digest("2024-03-05 10:00:00 ERROR " + "far and wide " * 40 + "\n")
    assert made.first_error is not None
    assert len(made.first_error.message) == 300 and made.first_error.message.endswith("…")
    [said] = made.frequent_errors()
    assert len(said.message) <= 160 and said.message.endswith("…")
    assert digest("2024-03-05 10:00:00 ERROR " + "x" * 160).frequent_errors()[0].message == "x" * 160


def test_over_the_new_year_time_goes_on() -> None:
    made = digest("".join(f"Dec 31 23:59:5{n} h a: x\n" for n in range(5)) + "Jan  1 00:00:05 h a: y\n")
    assert made.span == timedelta(seconds=15)


@given(st.lists(st.integers(0, 590), min_size=1, max_size=30), st.randoms())
def test_lines_late_by_minutes_make_no_silence(waits: list[int], chance: random.Random) -> None:
    times = [START + timedelta(seconds=second) for second in itertools.accumulate(waits)]
    late = [time - timedelta(seconds=chance.randrange(600)) for time in times]
    order = [one for pair in zip(times, late, strict=True) for one in pair]
    made = digest("\n".join(f"{iso(time)} INFO served" for time in order))
    assert made.span == max(order) - min(order)
    assert made.silence[0] == timedelta(seconds=max([*waits[1:], 0]))


@pytest.mark.parametrize(
    "clocks",
    [
        ["10:00:10", "02:00:10", "10:00:10"],
        ["10:00:00", "11:00:00", "12:00:00", "10:01:00", "10:03:00", "10:05:00"],
        ["23:59:50", "00:10:00", "11:00:00", "23:59:55"],
    ],
)
def test_of_a_log_whose_time_runs_back_nothing_is_said_of_how_long_it_took(clocks: list[str]) -> None:
    for form in ("2026-01-01 {}", "Jan  2 {}", "{}"):
        made = digest("\n".join(f"{form.format(clock)} INFO served" for clock in clocks))
        assert (made.span, made.silence) == (None, (timedelta(), 0)), form
        assert (made.first_stamp, made.last_stamp) == (form.format(clocks[0]), form.format(clocks[-1]))
        assert not any("silence" in line for line in digest_lines(made))


def test_of_times_with_and_without_year_in_one_log_no_span_is_told() -> None:
    said = ["May  3 12:00:00 h a: x", "2024-05-03 12:00:01 INFO y"]
    for lines in (said, said[::-1]):
        assert digest("\n".join(lines)).span is None


@given(st.lists(st.integers(1, 185), min_size=1, max_size=190))
def test_times_without_year_go_on_over_every_new_year(days: list[int]) -> None:
    moments = [datetime(1904, 1, 1, tzinfo=UTC) + timedelta(days=day % 366) for day in itertools.accumulate(days)]
    made = digest("\n".join(f"{moment:%b %e} 12:00:00 h a: x" for moment in moments))
    assert made.span == timedelta(days=sum(days[1:]))


def test_times_without_year_go_on_for_no_hundred_years() -> None:
    assert digest("Jan  1 12:00:00 h a: x\nJul  1 12:00:00 h a: x\n" * 110).span is None


def test_a_line_of_the_old_year_may_come_late() -> None:
    made = digest("Jan  1 00:00:01 h a: x\nDec 31 23:59:59 h a: x\nJan  1 00:00:02 h a: x")
    assert (made.span, made.silence[0]) == (timedelta(seconds=3), timedelta(seconds=1))


def test_a_package_of_errors_is_no_error() -> None:
    made = digest("2026-10-16 23:04:01 status installed liberror-perl:all 0.17\n" * 9)
    assert made.is_log and made.n_errors == 0
    assert digest("2026-10-16 23:04:01 worker died of a ValueError\n" * 9).n_errors == 9


def test_what_has_shown_to_be_a_log_stays_one() -> None:
    made = Digest()
    made.push("2024-05-03 12:00:01 INFO request served\n" * 199)
    assert made.is_log and not made.is_settled
    made.push("2024-05-03 12:00:02 INFO request served\n" + "a long dump of something else\n" * 2000)
    assert made.is_log and made.is_settled


def test_no_text_leaves_it_open_for_ever_whether_it_is_a_log() -> None:
    entry, other = "2024-05-03 12:00:01 INFO request served\n", "a long dump of something else\n"
    for text, is_log in (
        (entry * 199 + "\n" + entry, True),
        (other * 199 + "\n", False),
        ((entry + other * 4) * 500, False),
        ("x" * 9000 + "\n" + "y" * 2_000_000, False),
        ((entry[:-1] + "x" * 20_000 + "\n") * 60, True),
    ):
        made = Digest()
        made.push(text)
        assert made.is_settled and made.is_log is is_log


@pytest.mark.parametrize(
    "name",
    ["README.md", "CHANGELOG.md", "pyproject.toml", "tests/data/treasure-island.txt", "infinipot_cli/logs/line.py"],
)
def test_other_texts_are_no_logs(name: str) -> None:
    made = digest((Path(__file__).parents[2] / name).read_text(encoding="utf-8"))
    assert not made.is_log


def test_tables_with_dates_and_chats_are_no_logs() -> None:
    assert not digest("time,value\n" + "2024-05-03 12:00:00,5.25,7\n" * 300).is_log
    assert not digest("2024-05-03 12:00:00,7\n" * 300).is_log
    assert not digest("5551234501 John Smith, 12 Main St\n" * 300).is_log
    assert not digest("[12:00:01] Bob: hello\n" * 300).is_log
    assert not digest("#Fields: name date time\n" + "Flint 1754-07-01 noon\n" * 300).is_log
    assert not digest("Error,2024,5,ships\nWarning,2025,6,guns\n" * 200).is_log
    assert not digest("type=ship msg=hello\nhttps is a scheme, app/x is a path\n" * 200).is_log


@pytest.mark.parametrize(
    "line", ["", "  at x.y", "The year 2024 was long", "{not json", "=", "[", "2024-13-99 99:99:99 x"]
)
def test_odd_lines_do_no_harm(line: str) -> None:
    LineReader().read(line)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    digest(text)


KEYS = ("level", "Level", "lvl", "time", "t", "ts", "msg", "Error", "error", "log", "status", "s", "request", "x")
STAMPS = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1904-01-01 00:00:00")
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from((10**400, *STAMPS)) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=4,
)
DIGITS = st.sampled_from(["1", "05", "60", "999", "0305", "2024", "1700000000", "9" * 19, "9" * 400, "٣"])
BEGINNINGS = (
    *("[#.000000] x", "# x", "<#>Feb 29 10:00:00 x", "I# 10:00:00.# 1 a.go:1] x", "I0305 10:00:00.000000 1 a.go:1] x"),
    *("type=A msg=audit(#.000:1): x", "[#:#:#] INFO x", "#-02-30 10:00:00 INFO x", "ts=# level=# msg=x", "#,# ERROR x"),
    *("#Fields: date time sc-status", "# # 404", 'Error,2024-03-05 10:00:00,"', *(f"{one} INFO x" for one in STAMPS)),
)
LINES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4).map(json.dumps) | st.tuples(
    st.sampled_from(BEGINNINGS), DIGITS
).map(lambda drawn: drawn[0].replace("#", drawn[1]))


@settings(deadline=None)
@given(st.lists(LINES, max_size=6))
def test_whatever_a_line_says_of_its_time_and_level_is_read(lines: list[str]) -> None:
    made = digest("\n".join(lines))
    digest_lines(made)
    json.dumps(digest_record(made))


@pytest.mark.parametrize(
    "lines",
    [
        ['{"level": NaN, "msg": "x"}', '{"level": -Infinity, "msg": "x"}'],
        ['{"Error":{"a":1},"error":{"b":2},"level":"info","msg":"x"}'],
        ['{"time":"0001-01-01T00:00:00Z","level":"info","msg":"x"}', "I0305 10:00:00.000000 1 main.go:12] y"],
        [f"[{'9' * 400}.000000] x"],
    ],
)
def test_numbers_that_are_none_and_times_at_the_end_of_all_time_are_read(lines: list[str]) -> None:
    assert digest("\n".join(lines)).n_lines == len(lines)


@pytest.mark.parametrize("depth", [100, sys.getrecursionlimit() // 2, 2000])
def test_a_record_of_any_depth_is_read(depth: int) -> None:
    for nested in range(depth, depth + 100):
        LineReader().read(f'{{"level": "info", "msg": {"[" * nested}{"]" * nested}}}')


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_counts_are_exact_while_they_fit(words: list[str]) -> None:
    counted = Repetitions(8)
    for number, word in enumerate(words, start=1):
        counted.add(word, number)
    truth = Counter(words)
    assert {what: count.n for what, count in counted.most_frequent(9)} == truth
    for what, count in counted.most_frequent(9):
        assert (count.first, count.last) == (words.index(what) + 1, len(words) - words[::-1].index(what))
        assert count.is_exact


@given(st.lists(st.integers(0, 40).map(lambda number: chr(97 + number % 26) + "x" * (number // 26)), max_size=300))
def test_counts_are_lower_bounds_beyond(words: list[str]) -> None:
    counted = Repetitions(8)
    for number, word in enumerate(words):
        counted.add(word, number)
    truth = Counter(words)
    assert len(counted) <= 8
    for what, count in counted.most_frequent(8):
        assert count.n <= truth[what]
        assert count.n == truth[what] or not count.is_exact


def test_messages_that_say_the_same_have_one_shape() -> None:
    pairs = [
        ("took 12 ms", "took 3.5 ms"),
        ("host 10.0.0.1:80 down", "host 192.168.0.7:443 down"),
        ("user 'ann' left", "user 'bob' left"),
        ("id 0xdeadbeef", "id 0x1"),
        ("job 1f2e3d4c-0000-4000-8000-123456789abc done", "job aaaaaaaa-1111-4111-8111-bbbbbbbbbbbb done"),
    ]
    assert all(shape(one) == shape(other) for one, other in pairs)
    assert shape("disk full") != shape("disk fine")
    assert shape("Couldn't reach db, won't retry") == "Couldn't reach db, won't retry"
    assert shape("the users' cache and the admins' cache") == "the users' cache and the admins' cache"


@given(st.text(alphabet="\"'0123456789abcdefxyzABC+-.,: …٣½é", max_size=60))
def test_a_first_look_at_each_character_spares_time_and_nothing_else(message: str) -> None:
    pattern = repeated._VARIABLE.pattern
    looked = re.match(r"\(\?=\[[^]]+\]\)", pattern)
    assert looked is not None
    assert re.sub(pattern[looked.end() :], "…", message) == repeated._VARIABLE.sub("…", message)


def test_a_log_of_any_length_takes_the_same_memory() -> None:
    code = (
        "import resource\nfrom infinipot_cli.logs import Digest\nmade = Digest()\nsizes = []\n"
        "for block in range(1, 9):\n"
        "    for number in range(5000):\n"
        "        word = ''.join(chr(97 + (number * block >> shift & 15)) for shift in range(0, 32, 4))\n"
        "        made.push(f'2024-05-03 12:00:00 ERROR {word} {block}\\n')\n"
        "    made.push('x' * 1_000_000)\n"
        "    made.push('\\n')\n"
        "    sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "print(sizes[-1] - sizes[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 3_000_000
