"""RULER's thirteen tasks, made on the spot: hidden needles, chains of variables, word counts, questions on texts."""
