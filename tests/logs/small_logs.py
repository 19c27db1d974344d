"""What tests of logs share."""

from infinipot_cli.logs import Digest


def digest(text: str) -> Digest:
    """A text that was watched to its end."""
    made = Digest()
    made.push(text)
    made.close()
    return made
