"""Predict and rank for tables of users: CSV, TSV, JSON, JSONL, Parquet. Needs the packages of `genderclient[cli]`."""

from genderclient.tables.columns import Columns, RankingColumns
from genderclient.tables.errors import TableError
from genderclient.tables.job import JobResult, TableJob
from genderclient.tables.settings import ClientSettings
from genderclient.tables.tasks import RankingTask, ScoringTask

__all__ = [
    "ClientSettings",
    "Columns",
    "JobResult",
    "RankingColumns",
    "RankingTask",
    "ScoringTask",
    "TableError",
    "TableJob",
]
