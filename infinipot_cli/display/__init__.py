"""Everything the user sees: plain values and a console come in. The only place that imports rich."""
