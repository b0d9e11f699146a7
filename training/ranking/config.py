"""The configuration of a ranker. A config file returns one from `get_config()`."""

from dataclasses import dataclass
from typing import Final

from ..engine.errors import ConfigError

# Liked pictures of a user that count.
MAX_HISTORY: Final = 50
POOLINGS: Final = ("concat", "max", "sum", "attentive", "multi_query")


@dataclass(frozen=True)
class Config:
    """What a ranker knows, and how it is trained.

    Args:
        ids: Whether ids of candidates and of liked pictures are embedded. A served ranker has none, so that it ranks
            any new picture.
        candidate_picture: Whether the candidate's vector is an input.
        history_pictures: Whether the vectors of liked pictures are an input.
        gender: Whether PROBABILITIES and EMBEDDING are inputs.
        products: Whether the MLP also gets the products of candidates and pooled histories, not in the article.
        tastes: Latent tastes of a `TasteMixture`, not in the article; 0 for none.
        pooling: How vectors of liked pictures are pooled, one of `POOLINGS`.
        compressor: Units of the `Compressor`.
        hidden: Units of the MLP.
        epochs: Passes over the train sessions.
        batch: Sessions in a batch.
        learning_rate: Peak of a cosine schedule with warm-up.
        id_dropout: Share of ids replaced by the unknown id in training, so that its embedding is learned.
        embedding_dropout: Share of users whose EMBEDDING is set to zeros in training, so that a missing one, or one of
            another gender model, is no surprise.
        seed: Of weights, order and dropout.
    """

    ids: bool = False
    candidate_picture: bool = True
    history_pictures: bool = True
    gender: bool = True
    products: bool = True
    tastes: int = 0
    pooling: str = "multi_query"
    compressor: tuple[int, ...] = (256, 64, 12)
    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 2
    batch: int = 64
    learning_rate: float = 4e-3
    id_dropout: float = 0.1
    embedding_dropout: float = 0.5
    seed: int = 1

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ConfigError(f"expected a pooling of {', '.join(POOLINGS)}, got {self.pooling!r}")
        if not (self.ids or self.candidate_picture):
            raise ConfigError("expected ids or candidate_picture: without both, all candidates have the same score")
        if self.tastes and not (self.candidate_picture and self.history_pictures):
            raise ConfigError("expected candidate_picture and history_pictures: tastes are read from both")
