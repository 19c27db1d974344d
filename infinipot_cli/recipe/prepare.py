"""Command line of `corpus.prepare`: tokenize the public sets once.

python -m infinipot_cli.recipe.prepare --data DATA --work WORK
"""

import argparse
from pathlib import Path

from infinipot_cli.recipe.corpus import prepare

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    prepare(options.data, options.work)
