"""What a command that reads does, from what was asked for to what is printed and kept."""
