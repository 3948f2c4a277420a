"""The demo: labelled traffic through the real pipeline, watched from outside."""
