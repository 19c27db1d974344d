"""Ask a local model about documents of any length with a KV cache of fixed size."""

__version__ = "0.1.0"
