"""What commands take: options in groups, and which words are sources and which the question."""
