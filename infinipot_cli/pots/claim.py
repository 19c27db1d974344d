"""The right to read on into a stored pot: of two processes at once the later one would write over the earlier."""

import contextlib
import os
from pathlib import Path

from infinipot_cli.errors import PotError
from infinipot_cli.pots.replacing import lock


class Claim:
    """Holds a pot that will be replaced by what is read into it; the process that ends lets go of it.

    Args:
        path: of the pot's file.
        name: what the user calls it.

    Raises:
        PotError: another process is reading into it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._descriptor: int | None = None
        self.renew()

    def renew(self) -> None:
        """Hold the file that has this name now; the claim was on the one that it has replaced.

        Raises:
            PotError: another process was faster.
        """
        while True:
            try:
                descriptor = os.open(self._path, os.O_RDONLY)
            except OSError:  # whoever reads it says why
                return
            is_held = lock(descriptor, wait=False)
            if is_held is False:
                os.close(descriptor)
                raise PotError(
                    f"pot {self._name} is being read into by another process",
                    hint="wait until that has ended, or store under another name with --save-pot",
                    code="pot_in_use",
                )
            if self._is_there(descriptor):
                break
            os.close(descriptor)  # it was replaced meanwhile
        self.close()
        self._descriptor = descriptor

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_there(self, descriptor: int) -> bool:
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        return True
