"""One hundred crashes in a row under a supervisor."""
