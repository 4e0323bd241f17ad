"""Campaigns: one message, or one for each, to an audience."""
