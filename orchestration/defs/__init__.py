"""What Dagster loads: every definition found in these modules, left to right through the flow."""
