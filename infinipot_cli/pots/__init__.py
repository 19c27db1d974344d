"""Stored pots: what was read once can be asked about in another process, without reading it again.

A pot is one safetensors file. Its metadata holds a JSON header that says which model read what and how (`header`), and
a SHA-256 over every other byte of the file (`file`). Named pots live in one folder (`shelf`).
"""
