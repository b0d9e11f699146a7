r"""The served ranker: no ids, so that it ranks pictures which did not exist when it was trained.

    python -m training.ranking.train --config training/ranking/configs/served.py \
        --impressions runs/world/impressions.parquet --gallery runs/world/gallery --out runs/ranker

Trained longer than the rows of `results/ranking.md`; its quality is in `results/publish_ranker.json`.
"""

from training.ranking.config import Config


def get_config() -> Config:
    return Config(tastes=24, epochs=6, learning_rate=8e-3)
