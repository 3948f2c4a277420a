"""Fault runs: servers are killed while the job decides, and everything is counted afterwards."""
