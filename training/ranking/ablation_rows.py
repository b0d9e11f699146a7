"""The rows of the ablation, in the order of Ge et al., 2017, and the comparisons that answer its questions."""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from .config import Config
from .configs.served import get_config

SESSIONS: Final = 50_000


@dataclass(frozen=True)
class Row:
    """A model of the ablation.

    Args:
        name: Unique.
        article: The article's GAUC, empty if it has none.
        config: What the ranker knows; None for the two-tower pre-ranker.
        ids: Whether the pre-ranker embeds ids.
        pictures: Whether the pre-ranker uses vectors.
        warm: What starts from yesterday's model of the same config.
        vectors: Those of the `gallery`, of a network of `imagenet`, or `exact` ones, from which theme and style can be
            read: they separate what the ranker misses from what the picture encoder misses.
        knowledge: The ceiling that bounds the row, a name in `preference_ceiling.KNOWLEDGE`.
        sessions: How many train it. The last day is the same for any number.
    """

    name: str
    article: str = ""
    config: Config | None = field(default_factory=Config)
    ids: bool = False
    pictures: bool = True
    warm: Literal["", "partial", "full"] = ""
    vectors: Literal["gallery", "imagenet", "exact"] = "gallery"
    knowledge: str = "all"
    sessions: int = SESSIONS


_IDS: Final = Config(ids=True, candidate_picture=False, history_pictures=False)
_BOTH: Final = Config(ids=True)
# Trained as the repository's ranker, in the same world.
PUBLISHED: Final = "served, 6 epochs of 100,000"
# As it is served, but trained as long as all other rows.
_SERVED: Final = replace(get_config(), epochs=Config().epochs)

ROWS: Final = (
    Row("served: no ids", config=_SERVED),
    Row("ids", ".6205", _IDS, knowledge="ids and predicted gender"),
    Row("ids, + candidate picture", ".6235", Config(ids=True, history_pictures=False)),
    Row(
        "ids, + history pictures",
        ".6219",
        Config(ids=True, candidate_picture=False),
        knowledge="history as pictures, candidates as ids",
    ),
    Row("ids, + both", ".6260", _BOTH),
    Row("pooling: concat", ".6232", Config(ids=True, pooling="concat")),
    Row("pooling: max", ".6236", Config(ids=True, pooling="max")),
    Row("pooling: sum", ".6248", Config(ids=True, pooling="sum")),
    Row("pooling: attentive", ".6257", Config(ids=True, pooling="attentive")),
    Row("warm start, all but ids", ".6283", _BOTH, warm="partial"),
    Row("warm start, all", ".6230", _BOTH, warm="full"),
    Row("ids, + both, twice the epochs", config=replace(_BOTH, epochs=2 * _BOTH.epochs)),
    Row("pre-rank: ids", ".6165", None, ids=True, pictures=False, knowledge="ids and predicted gender"),
    Row("pre-rank: ids and pictures", ".6225", None, ids=True),
    Row("pre-rank: served", config=None),
    Row("served, with ids", config=replace(_SERVED, ids=True)),
    Row("served, without gender", config=replace(_SERVED, gender=False), knowledge="history as pictures"),
    Row("served, without products", config=replace(_SERVED, products=False)),
    Row("served, without tastes", config=replace(_SERVED, tastes=0)),
    Row("served, vectors of ImageNet", config=_SERVED, vectors="imagenet"),
    Row("served, exact vectors", config=_SERVED, vectors="exact"),
    Row("served, 6 epochs", config=get_config()),
    Row(PUBLISHED, config=get_config(), sessions=2 * SESSIONS),
)
# Each first row against the second: the article's question, or ours.
PAIRS: Final = (
    ("ids, + candidate picture", "ids"),
    ("ids, + history pictures", "ids"),
    ("ids, + both", "ids"),
    ("ids, + both", "pooling: concat"),
    ("ids, + both", "pooling: max"),
    ("ids, + both", "pooling: sum"),
    ("ids, + both", "pooling: attentive"),
    ("warm start, all but ids", "ids, + both"),
    ("warm start, all", "ids, + both"),
    ("warm start, all but ids", "ids, + both, twice the epochs"),
    ("pre-rank: ids and pictures", "pre-rank: ids"),
    ("served, with ids", "served: no ids"),
    ("served: no ids", "served, without gender"),
    ("served: no ids", "served, without products"),
    ("served: no ids", "served, without tastes"),
    ("served: no ids", "served, vectors of ImageNet"),
    ("served, exact vectors", "served: no ids"),
    ("served, 6 epochs", "served: no ids"),
    (PUBLISHED, "served, 6 epochs"),
)
