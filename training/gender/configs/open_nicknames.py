r"""The published text tower, trained on open-world nicknames: one pass over 2,976,000 of them.

    python -m training.synthetic.open_nicknames --names NAMES --count 3100000 --out runs/nicknames.parquet
    python -m training.data.token_file --data runs/nicknames.parquet --out runs/nicknames.npz
    python -m training.gender.train_text --data runs/nicknames.npz --out runs/nickname
    python -m training.gender.evaluate_text --run runs/nickname --data runs/nicknames.parquet \
        --out results/nicknames.json

NAMES is the folder of the name lists. Accuracy: `results/nicknames.json`.
"""

from training.gender.config import Config


def get_config() -> Config:
    return Config(backbone="", epochs=1, batch=512, learning_rate=7e-4, label_smoothing=0.0)
