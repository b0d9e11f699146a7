"""What attackers send through the reverse proxy: poisoned inferences, and floods of requests without a token."""
