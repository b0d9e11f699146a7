"""Malformed requests as a whole: protobuf, JSON, HTTP and tensors that are wrong or far too large."""
