r"""The published text tower, trained on open-world nicknames: one pass over 864,000 of them.

    python -m training.synthetic.open_nicknames --names NAMES --out runs/open.parquet
    python -m training.data.token_file --data runs/open.parquet --out runs/open.npz
    python -m training.gender.train_text --data runs/open.npz --out runs/nickname
    python -m training.gender.evaluate_text --run runs/nickname --data runs/open.parquet --out results/nicknames.json

NAMES is the folder of the name lists. Accuracy: `results/nicknames.json`.
"""

from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="", epochs=1, batch=512, learning_rate=7e-4, label_smoothing=0.0)
