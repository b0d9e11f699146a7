"""Score tables of users: CSV, TSV, JSON, JSONL and Parquet. Needs the packages of `genderclient[cli]`."""

from genderclient.tables.columns import Columns
from genderclient.tables.errors import TableError
from genderclient.tables.job import ScoringJob, ScoringResult
from genderclient.tables.settings import ClientSettings

__all__ = ["ClientSettings", "Columns", "ScoringJob", "ScoringResult", "TableError"]
