"""A run as it was asked for: answered, or with `--dry-run` only counted."""

from collections.abc import Sequence

from infinipot_cli.commands.runs.counting import show_count
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.reply import Reply
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
    """
    if form.run.dry_run:
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
