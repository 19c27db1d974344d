"""Measurements that anyone can repeat; they use the session as a user's command does."""
