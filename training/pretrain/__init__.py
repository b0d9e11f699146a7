"""Self-supervised embeddings of pictures and titles, and how good they are."""
