"""What can go wrong in a conversion."""

from typing import Final

from genderprep import PrepMismatch
from server.catalog import CatalogError
from server.errors import LaunchError
from training.data.bad_rows import ManifestError
from training.engine.errors import ConfigError


class ConversionError(RuntimeError):
    """A model cannot be converted, or the converted one deviates too far; the message states what, and the limit."""


# What the commands of this package report in one line; `OSError` is a missing file, a full disk or a read-only folder.
FAILURES: Final = (ConversionError, PrepMismatch, CatalogError, LaunchError, ManifestError, ConfigError, OSError)
