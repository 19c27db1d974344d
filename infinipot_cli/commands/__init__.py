"""One file for each command: parse, call the session, hand what happens to the display."""
