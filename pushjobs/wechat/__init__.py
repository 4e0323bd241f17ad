"""Floor 1: the only rooms that know Tencent's wire format; everything leaves here in our own words."""
