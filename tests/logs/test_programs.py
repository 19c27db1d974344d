"""Logs of programs that write in ways of their own, compared with what happened."""

from collections import Counter
from datetime import timedelta

import pytest

from infinipot_cli.logs import Level
from infinipot_cli.logs.line import LineReader
from tests.logs.small_logs import digest


def test_an_access_log_has_levels_by_status() -> None:
    line = '1.2.3.{0} - - [10/Oct/2000:13:55:{0:02} -0700] "GET /page/{0} HTTP/1.1" {1} 23 "-" "curl/8"'
    made = digest(
        "\n".join(line.format(number, status) for number, status in enumerate([200, 404, 200, 503, 500, 301]))
    )
    assert made.levels == {Level.INFO: 3, Level.WARNING: 1, Level.ERROR: 2}
    assert made.first_error is not None and made.first_error.message == "GET /page/3 HTTP/1.1 → 503"


IIS = """#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2024-05-03 12:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus
2024-05-03 12:00:01 10.0.0.1 GET /a - 443 - 10.0.0.9 Mozilla/5.0 200 0
2024-05-03 12:00:02 10.0.0.1 GET /error/500 - 443 - 10.0.0.9 Mozilla/5.0 404 0
2024-05-03 12:00:03 10.0.0.1 POST /pay - 443 - 10.0.0.9 Mozilla/5.0 503 0
2024-05-03 12:00:04 10.0.0.1 GET /failed.png - 443 - 10.0.0.9 Mozilla/5.0 200 0
2024-05-03 12:00:05 10.0.0.1 GET /b - 443 - 10.0.0.9 Mozilla/5.0 304 0
2024-05-03 12:00:06 10.0.0.1 GET /c - 443 - 10.0.0.9 Mozilla/5.0 500 0
"""
BALANCER = (
    "https 2024-05-03T12:00:0{0}.186641Z app/front/50dc6c495c0c9188 10.0.0.9:2817 10.0.0.1:80 0.086 0.048 -1 {1} 200 0"
    ' 57 "{2} HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 arn:aws:targetgroup/x "Root=1-5" "-" "-" 0 2024-05-03T12:00:00Z'
)


@pytest.mark.parametrize("tabs", [False, True])
def test_iis_has_levels_by_the_column_that_it_names(tabs: bool) -> None:
    made = digest(IIS.replace(" ", "\t").replace("#Fields:\t", "#Fields: ") if tabs else IIS)
    assert made.is_log and made.has_levels
    assert made.levels == {Level.INFO: 3, Level.WARNING: 1, Level.ERROR: 2}
    assert made.first_error is not None and made.first_error.message == "POST /pay → 503"
    assert made.last_error is not None and (made.last_error.line, made.last_error.message) == (10, "GET /c → 500")
    assert made.span == timedelta(seconds=5)


def test_a_load_balancer_has_levels_by_its_status() -> None:
    asked = [(200, "GET /a"), (502, "POST /pay"), (404, "GET /x"), (200, "GET /error"), (301, "GET /"), (200, "GET /b")]
    made = digest("\n".join(BALANCER.format(number, *one) for number, one in enumerate(asked)))
    assert made.is_log and made.levels == {Level.INFO: 4, Level.WARNING: 1, Level.ERROR: 1}
    assert made.first_error is not None and made.first_error.message == "POST /pay HTTP/1.1 → 502"
    assert made.span == timedelta(seconds=5)


def test_an_audit_of_the_kernel_is_a_log() -> None:
    made = digest(
        'type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e syscall=2 success=no exit=-13 comm="cat"\n'
        'type=CWD msg=audit(1364481363.243:24287):  cwd="/srv/www"\n'
        'node=web type=AVC msg=audit(1364481364.243:24288): avc:  denied  { read } for  pid=77 comm="httpd"\n'
        "type=USER_LOGIN msg=audit(1364481365.243:24289): pid=1 uid=0 msg='op=login acct=\"flint\" res=success'\n"
        "type=USER_AUTH msg=audit(1364481366.243:24290): pid=1 uid=0 msg='op=PAM acct=\"flint\" res=failed'\n"
        'type=ANOM_ABEND msg=audit(1364481373.243:24291): auid=1000 comm="app" sig=11\n'
    )
    assert made.is_log and made.n_entries == 6
    assert made.levels == {Level.NONE: 2, Level.WARNING: 3, Level.ERROR: 1}
    assert made.first_error is not None and made.first_error.message.startswith("ANOM_ABEND auid=1000")
    assert made.span == timedelta(seconds=10)


def test_errors_of_java_util_logging_have_the_time_of_the_line_above() -> None:
    lines = [
        f"Mar {day}, 2024 9:0{day}:11\u202fAM com.example.App run\n{level}: started {day}"
        for day, level in enumerate(["INFO", "INFO", "WARNING", "SEVERE", "INFO"], start=1)
    ]
    made = digest("\n".join(lines))
    assert made.is_log and made.n_entries == 5 and made.levels[Level.ERROR] == 1
    assert made.first_error is not None
    assert (made.first_error.line, made.first_error.stamp) == (8, "Mar 4, 2024 9:04:11\u202fAM")
    assert made.span == timedelta(days=4, minutes=4)


def test_services_of_dotnet_say_fail() -> None:
    words = ["info", "info", "warn", "fail", "dbug", "crit", "trce"]
    made = digest("\n".join(f"{word}: App.Server[14]\n      something is said" for word in words))
    assert made.is_log and made.first_error is not None and made.first_error.line == 7
    assert made.levels == Counter(
        {
            Level.INFO: 2,
            **dict.fromkeys((Level.WARNING, Level.ERROR, Level.DEBUG, Level.FATAL, Level.TRACE), 1),
        }
    )


def test_an_access_log_in_json_or_behind_a_host_has_levels_by_status() -> None:
    when = "10/Oct/2000:13:55:{0:02} -0700"
    record = f'{{{{"time_local":"{when}","request":"GET /{{0}} HTTP/1.1","status":"{{1}}"}}}}'
    line = f'example.com:443 1.2.3.4 - - [{when}] "GET /{{0}} HTTP/1.1" {{1}} 23 "-" "curl/8"'
    for form in (record, line):
        made = digest("\n".join(form.format(number, status) for number, status in enumerate([200, 404, 200, 503, 500])))
        assert made.is_log and made.levels == {Level.INFO: 2, Level.WARNING: 1, Level.ERROR: 2}, form
        assert made.first_error is not None and made.first_error.message == "GET /3 HTTP/1.1 → 503"
        assert made.span == timedelta(seconds=4)


@pytest.mark.parametrize("who", ["127.0.0.1 - - ", ""])
def test_servers_of_python_have_levels_by_status(who: str) -> None:
    line = f'{who}[01/Jan/2026 10:00:{{0:02}}] "GET /{{0}} HTTP/1.1" {{1}} {17 if not who else "-"}'
    made = digest("\n".join(line.format(*one) for one in enumerate([200, 404, 200, 503, 500])))
    assert made.is_log and made.levels == {Level.INFO: 2, Level.WARNING: 1, Level.ERROR: 2}
    assert made.first_error is not None and made.first_error.message == "GET /3 HTTP/1.1 → 503"
    assert made.span == timedelta(seconds=4)


@pytest.mark.parametrize("form", ["{} CET [7] {}", "{} UTC:{}", "[{} EDT] {}", "Thu {} CET {}", "{} {}", "[{}] {}"])
def test_the_name_of_a_zone_is_part_of_the_time(form: str) -> None:
    said = ["GET the job", "INFO ready", "host app[1]: up", "ERROR no disk", "CETERUM censeo"]
    made = [LineReader().read(form.format(f"2026-01-01 10:00:0{number}", text)) for number, text in enumerate(said)]
    behind = "[7] " if "[7]" in form else ""
    expected = [f"{behind}GET the job", "ready", f"{behind}host app[1]: up", "no disk", f"{behind}CETERUM censeo"]
    assert [entry.message for entry in made if entry] == expected
    assert [entry.stamp for entry in made if entry] == [f"2026-01-01 10:00:0{number}" for number in range(5)]


def test_redis_warns_with_a_mark() -> None:
    said = ["* Ready to accept", "# Could not connect", "- Accepted 1.2.3.4", "# Error opening the file", "."]
    made = digest("\n".join(f"71:M 05 Mar 2024 12:00:0{number}.123 {text} x" for number, text in enumerate(said)))
    assert made.is_log and made.first_error is not None and made.first_error.line == 4
    assert made.levels == {Level.INFO: 1, Level.WARNING: 1, Level.DEBUG: 2, Level.ERROR: 1}
