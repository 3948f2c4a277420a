"""SQL expressions of a small documented subset: checked once, then SQL for two engines, or run."""
