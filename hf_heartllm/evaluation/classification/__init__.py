"""Superclass, rhythm and form by prompt: a choice among letters, and yes or no for each class."""
