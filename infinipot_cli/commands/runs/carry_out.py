"""A run as it was asked for: answered, or with `--dry-run` only counted."""

from collections.abc import Sequence

from infinipot_cli.commands.runs.counting import show_count
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.reply import Reply
from infinipot_cli.errors import UsageError
from infinipot_cli.plan import Task
from infinipot_cli.session import Session


def carry_out(
    session: Session, form: Form, words: Sequence[str], task: Task, *, key: str = "answer", each: bool = False
) -> None:
    """Read the sources and answer, or say what that would take.

    Args:
        session: model and wishes.
        form: how to answer.
        words: the sources as the user typed them.
        task: what they are read for.
        key: what an answer is called in JSON.
        each: read every source by itself instead of all into one pot.

    Raises:
        UsageError: what is only counted shall go where answers go, or be reported on.
    """
    if form.run.dry_run:
        _check_counted(form)
        show_count(
            session,
            words,
            task,
            each=each,
            form=form,
            json=form.is_json,
            quiet=form.quiet,
            plain=form.run.plain,
            color=form.color,
        )
    else:
        Reply(session, form, key=key).run(words, task, each=each)


def _check_counted(form: Form) -> None:
    """Refuse what is about answers where there is none."""
    places = {"-o": form.output, "--jsonl": form.jsonl}
    reports = {"--explain": form.explain, "--html": form.html, "--page": form.page, "--verify": form.verify}
    for option, value in {**places, **reports}.items():
        if value:
            problem = f"--dry-run counts and answers nothing: it goes with no {option}"
            instead = "; --json prints the count as one document" if option in places else ""
            raise UsageError(problem, hint=f"leave {option} out{instead}")
