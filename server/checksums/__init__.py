"""Integrity of a model repository: `SHA256SUMS` lists its files, and Triton serves a verified copy of them."""

from .manifest import MANIFEST, check_files, record, record_all

__all__ = ["MANIFEST", "check_files", "record", "record_all"]
