"""Alerts as an investigator sees them: the queue, one case whole, and its payments."""
