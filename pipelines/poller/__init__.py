"""Whole order books over REST, again and again: no key needed, and many markets within the budget."""
