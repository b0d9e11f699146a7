"""The public edge of Triton: reverse proxy, access policy, client tokens and admin lock."""
