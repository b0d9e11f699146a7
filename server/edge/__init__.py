"""What stands between clients and Triton: the reverse proxy, client tokens, the admin lock."""
