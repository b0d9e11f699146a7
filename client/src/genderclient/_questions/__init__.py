"""What a client can ask: each question describes its inputs, and how the outputs become a result."""
