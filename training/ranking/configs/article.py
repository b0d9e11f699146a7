r"""The article's model: ids and pictures, of candidates and of histories, pooled by two queries.

    python -m training.ranking.train --config training/ranking/configs/article.py \
        --impressions runs/world/impressions.parquet --gallery runs/world/gallery --out runs/article

It cannot be served, because ids of tomorrow's pictures have no embedding. Quality: the row `ids, + both` of
`results/ranking.md`.
"""

from training.ranking.config import Config


def get_config() -> Config:
    return Config(ids=True)
