"""What a signal becomes while a command runs; known before anything else is imported."""


class Terminated(BaseException):
    """A polite request to end; carries the exit code, 128 plus the number of the signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


class Interrupted(KeyboardInterrupt):
    """Ctrl-C.

    A class of its own, because Python remembers when a plain KeyboardInterrupt passes through `exec`, as it may while
    libraries are being imported, and then ends the process by the signal although the exception was caught.
    """
