"""`make demo`: a page that shows what the models answer, and why."""
