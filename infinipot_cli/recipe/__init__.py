"""How pocket, the embedded model, was made: data, tokenizer, training and evaluation. Nothing imports this package."""
