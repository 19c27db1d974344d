"""One report out of the records of many runs: the paper's tables and figures, filled beside its own numbers."""
