"""One story in examples: a digest that is sent on working days, and a morning on which it was sent again."""
