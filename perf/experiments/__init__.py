"""One performance experiment a file."""
