"""What the pot kept, what an answer attended to, and what of it is worth citing; computes, shows nothing."""
