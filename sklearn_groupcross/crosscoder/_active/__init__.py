"""Training and coding at the cost of the active codes: the same arithmetic as with all of them."""
