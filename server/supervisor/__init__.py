"""Keeps one tritonserver answering: asks it for real inferences, and acts when they fail."""
