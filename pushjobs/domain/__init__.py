"""Floor 0: the field's own words as pure values and rules. No I/O, no clock reads, no settings."""
