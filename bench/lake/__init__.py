"""What the lakehouse costs: storing, committing, asking, and the upkeep of many small commits."""
