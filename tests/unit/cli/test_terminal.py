"""The program on a real terminal: what is drawn, what is asked, and how wide it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.programs import DOORS, READY, REPORT, Run, pretender
from tests.fakes.ptys import FEDSSH, Typed, type_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Leaks

# A run that takes a while, in which a member fails and the other one is federated.
STORY = """
    import time
    from fedssh.errors import StepError
    from fedssh.federation.report import Progress
    def tell(cluster, text, state='running', error=None):
        report(Progress(cluster=cluster, text=text, state=state, error=error))
    failure = StepError('kubectl is not there', machine='member2', step='look', hint='Install it.')
    for cluster in ('fedhost', 'member1', 'member2'):
        tell(cluster, 'looking at the machine, which is a long story that no narrow terminal has room for')
    time.sleep(0.5)
    tell('member2', str(failure), 'failed', failure)
    tell('member1', 'granting access')
    time.sleep(1.2)
    tell('member1', 'granted access', 'changed')
    return Report(verb='federate', engine='kubefed', exit_code=3, summary='2 of 3 federated, 1 failed', clusters=(
        ClusterReport(name='fedhost', role='host', state='Ready', api_server='https://fedhost.example.com:6443'),
        ClusterReport(name='member1', role='member', state='Ready', labels={'region': 'eu'}),
        ClusterReport(name='member2', role='member', state='Failed', error=failure),
    ))
"""
PLAN = """
    from fedssh.federation.report import PlannedChange
    change = PlannedChange(step='grant', text='grant access, taking over serviceaccount/member1',
                           change='granted access', why='it is to be taken over')
    planned = ClusterReport(name='member1', role='member', state='NotJoined', plan=(change,))
    report_ = Report(verb='federate', engine='kubefed', clusters=(planned,), dry_run=True)
    if not agree(report_):
        return Report(verb='federate', engine='kubefed', has_table=False, summary='Nothing was changed')
    return Report(verb='federate', engine='kubefed', has_table=False, summary='1 of 1 federated')
"""
QUESTION = "Do this? [y/N]"


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.usefixtures("hosts")
def test_a_run_on_a_terminal_of_any_width(tmp_path: Path, leaks: Leaks, columns: int) -> None:
    """First line, rows with seconds, the failure when it happens, the table, the closing line; nothing is cut off."""
    shown = type_at([*pretender(STORY, verb="federate"), "--all"], tmp_path, leaks, columns=columns)
    assert shown.code == 3
    order = [
        "hosts.yaml: host fedhost, 2 of 2 members\n",
        "looking at the machine",
        "error: member2: look: kubectl is not there\n  next: Install it.\n",
        "✗ member2  kubectl is not there",
        "✓ member1 granted access\n",
        "CLUSTER   ROLE     STATE    LABELS      API SERVER\n",
        "https://fedhost.example.com:6443\n",
        "2 of 3 federated, 1 failed, ",
    ]
    places = [shown.text.find(words) for words in order]
    assert -1 not in places, shown.text
    assert places == sorted(places)
    assert "member1  granting access 1 s" in shown.text
    assert shown.text.count("kubectl is not there\n  next: ") == 1
    drawn = [line for line in shown.drawn if line.startswith(tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"))]
    assert drawn
    assert max(map(len, drawn)) <= columns
    assert shown.raw.count("\x1b[?25h") == shown.raw.count("\x1b[?25l") == 1
    assert shown.text.endswith(" s\n")


@pytest.mark.parametrize("flags", [["-q"], ["--log-format", "text"], ["--log-format", "json"]])
@pytest.mark.usefixtures("hosts")
def test_quiet_and_logs_draw_nothing(tmp_path: Path, leaks: Leaks, flags: list[str]) -> None:
    """On a terminal, too: the cursor stays where it is."""
    shown = type_at([*pretender(STORY, verb="federate"), "--all", *flags], tmp_path, leaks)
    assert "\x1b[?25l" not in shown.raw
    assert "kubectl is not there" in shown.text
    assert ("granting access" in shown.text) == (flags != ["-q"])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("y\n", "1 of 1 federated"), ("YES \n", "1 of 1 federated")]
    + [(answer, "Nothing was changed") for answer in ("\n", "n\n", "yeah\n", "\x04")],
)
@pytest.mark.usefixtures("hosts")
def test_adopt_shows_its_plan_and_asks(tmp_path: Path, leaks: Leaks, answer: str, expected: str) -> None:
    """Anything but yes is no, and no is no failure."""
    argv = [*pretender(PLAN, verb="federate"), "--all", "--adopt"]
    shown = type_at(argv, tmp_path, leaks, answers={QUESTION: answer})
    assert (shown.code, shown.text.count(QUESTION)) == (0, 1)
    before, _, after = shown.text.partition(QUESTION)
    assert "On member1, federate would\n  grant access, taking over serviceaccount/member1" in before
    assert expected in after


@pytest.mark.usefixtures("hosts")
def test_what_was_typed_early_is_no_consent(tmp_path: Path, leaks: Leaks) -> None:
    """Whoever typed it had not seen the plan."""
    slow = "\n    import time\n    print('early?', file=sys.stderr, flush=True); time.sleep(1)" + PLAN
    answers = {"early?": "y\n", QUESTION: "n\n"}
    shown = type_at([*pretender(slow, verb="federate"), "--all", "--adopt"], tmp_path, leaks, answers=answers)
    assert (shown.code, "Nothing was changed" in shown.text) == (0, True)


@pytest.mark.usefixtures("hosts")
def test_a_question_stays_where_it_was_asked(tmp_path: Path, leaks: Leaks) -> None:
    """The rows that are drawn again afterwards begin below it."""
    row = "\n    from fedssh.federation.report import Progress"
    row += "\n    report(Progress(cluster='member1', text='looking', state='running'))"
    argv = [*pretender(row + PLAN, verb="federate"), "--all", "--adopt"]
    after = type_at(argv, tmp_path, leaks, answers={QUESTION: "n\n"}).raw.partition(QUESTION)[2]
    assert after.lstrip(" ").startswith("n\r\n")
    assert not after.partition("member1")[0].count("\x1b[1A")


@pytest.mark.usefixtures("hosts")
def test_a_log_holds_the_plan_that_is_asked_about(tmp_path: Path, leaks: Leaks) -> None:
    """Every line is an object but the question's own."""
    argv = [*pretender(PLAN, verb="federate"), "--all", "--adopt", "--log-format", "json"]
    lines = type_at(argv, tmp_path, leaks, answers={QUESTION: "y\n"}).text.splitlines()
    told = [json.loads(line) for line in lines if not line.startswith(QUESTION)]
    assert len(told) == len(lines) - 1
    assert any("taking over serviceaccount/member1" in record["message"] for record in told)


@pytest.mark.usefixtures("hosts")
def test_a_dumb_terminal_is_told_each_step(tmp_path: Path, leaks: Leaks) -> None:
    """Where nothing can be drawn again, there are lines."""
    argv = [*pretender(STORY, verb="federate"), "--all"]
    shown = type_at(argv, tmp_path, leaks, environment={"TERM": "dumb"})
    assert "member1: granting access\n" in shown.text
    assert "\x1b" not in shown.raw


@pytest.mark.usefixtures("hosts")
def test_ctrl_c_at_a_question_changes_nothing(tmp_path: Path, leaks: Leaks) -> None:
    """It is an interruption as any other."""
    argv = [*pretender(PLAN, verb="federate"), "--all", "--adopt"]
    shown = type_at(argv, tmp_path, leaks, answers={QUESTION: "\x03"})
    assert (shown.code, "Interrupted after " in shown.text) == (130, True)


@pytest.mark.parametrize("yes", ["-y", "--yes"])
@pytest.mark.usefixtures("hosts")
def test_yes_answers_for_whoever_is_not_there(run: Run, tmp_path: Path, leaks: Leaks, yes: str) -> None:
    """With a terminal and without one nobody is asked; without both it is a mistake, unless nothing is to be done."""
    argv = [*pretender(PLAN, verb="federate"), "--all", "--adopt"]
    for done in (type_at([*argv, yes], tmp_path, leaks), run(*argv, yes)):
        assert done.code == 0
        assert QUESTION not in str(done)
        assert "1 of 1 federated" in (done.text if isinstance(done, Typed) else done.err)
    refused = run(*argv)
    assert (refused.code, refused.out, "--yes" in refused.err) == (2, "", True)
    dry = run(*pretender("return " + REPORT.format(clusters=READY, code=0), verb="federate"), "--all", "--adopt", "-R")
    assert dry.code == 0


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize(
    "verb", ["", "federate", "prepare", "fetch", "rotate", "unfederate", "status", "check", "init", "completion"]
)
def test_help_fits_a_terminal(tmp_path: Path, leaks: Leaks, verb: str, columns: int) -> None:
    """24 lines at 80 columns and more, and no option's line is wider than the terminal."""
    shown = type_at([*FEDSSH, *filter(None, [verb]), "--help"], tmp_path, leaks, columns=columns)
    assert shown.code == 0
    lines = shown.text.splitlines()
    assert len(lines) <= 24 or columns < 80
    options = "\n".join(lines).partition("ptions")[2].partition("Examples:")[0].splitlines()
    assert max(map(len, options)) <= columns
    assert lines[0].startswith(
        ("fedssh federates", "Federate", "Install", "Fetch", "Replace", "Let", "Show", "Find", "Draft", "Print")
    )
    assert "Usage: fedssh" in shown.text
    examples = shown.text.count("\n  fedssh ") + shown.text.count("\n  source ")
    assert examples >= 2 or (not verb and "\nExample: fedssh " in shown.text)
    assert "Exit codes: 0 done" in shown.text


def test_init_asks_four_questions(tmp_path: Path, leaks: Leaks) -> None:
    """On a terminal; the draft is what stdout gets."""
    answers = {
        "runs the federation:": "Fed Host\n",
        "~/.ssh/config):": "root@192.0.2.1:2222\n",
        "with blanks between them):": "member1=root@192.0.2.2\n",
        "what ssh uses):": "\n",
    }
    shown = type_at([*FEDSSH, "init"], tmp_path, leaks, answers=answers)
    assert shown.code == 0
    assert "Fed Host is called fed-host" in shown.text
    assert "host:\n  name: fed-host\n  address: 192.0.2.1\n  port: 2222\n" in shown.text


@pytest.mark.parametrize("door", DOORS)
def test_no_color_is_heard(tmp_path: Path, leaks: Leaks, hosts: Path, door: str) -> None:
    """On a terminal, errors have colours unless somebody does not want them."""
    hosts.write_text("x")
    argv = [*DOORS[door], "status"]
    assert "\x1b[1;31merror" in type_at(argv, tmp_path, leaks).raw
    assert "\x1b[1;31m" not in type_at(argv, tmp_path, leaks, environment={"NO_COLOR": "1"}).raw
