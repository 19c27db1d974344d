"""What the engine must know of a transformers model, and how one is found, described and loaded."""
