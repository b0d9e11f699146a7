r"""The served ranker: no ids, so that it ranks pictures which did not exist when it was trained.

    python -m training.ranking.train --config training/ranking/configs/served.py \
        --impressions runs/world/impressions.parquet --gallery runs/world/gallery --out runs/ranker

Quality: the row `served` of `results/ranking.md`.
"""

from training.ranking.config import Config


def get_config() -> Config:
    return Config()
