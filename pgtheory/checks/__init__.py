"""Verdicts: both sides of a claim brought together and judged."""
