"""The cards chosen for a user, and how liking some changes them."""

from typing import Any, Final

from genderclient import AsyncClient
from server.catalog import GENDER, Catalog

from .gallery_cards import GalleryCards
from .requests import BadRequest, RankQuestion

RANK: Final = "rank"
SHOWN: Final = 12
MAX_LIKED: Final = 50


class Rankings:
    """Asks the ranking ensemble whose backbone is that of the user's arm."""

    def __init__(self, catalog: Catalog, client: AsyncClient) -> None:
        backbones = {each.name: each.backbone for each in catalog.ensembles(GENDER)}
        by_backbone = {each.backbone: each for each in catalog.ensembles(RANK) if not each.is_canary and each.backbone}
        self._rank = {arm: by_backbone[name] for arm, name in backbones.items() if name in by_backbone}
        self._client = client
        if self._rank:
            version = next(iter(self._rank.values())).steps["gallery"]
            self.cards = GalleryCards(catalog.model("gallery").folder / str(version))

    def __bool__(self) -> bool:
        """Whether the server ranks."""
        return bool(self._rank)

    async def rank(self, question: RankQuestion, arm: str) -> dict[str, Any]:
        """Return the best cards of the gallery, best first.

        Raises:
            BadRequest: The server has no ranking for this arm.
            GenderClientError: The input is rejected, or the server does not answer.
        """
        if arm not in self._rank:
            raise BadRequest("request", f"expected a server with a model of role {RANK} for {arm}")
        ranking = await self._client.rank(
            avatar=question.user.avatar,
            nickname=question.user.nickname or None,
            liked=question.liked[:MAX_LIKED],
            k=SHOWN,
            seed=question.seed,
            personalize=question.personalize,
            model=self._rank[arm].name,
        )
        cards = zip(ranking.pictures, ranking.scores, ranking.propensities, strict=True)
        return {
            "model": ranking.model,
            "version": ranking.version,
            "total_ms": 1000 * ranking.latency_s,
            "cards": [
                {"id": picture, "title": self.cards.title(picture), "score": score, "propensity": propensity}
                for picture, score, propensity in cards
            ],
        }
