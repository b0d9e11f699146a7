"""The cards chosen for a user, and how liking some changes them."""

from typing import Any, Final

from genderclient import AsyncClient
from server.catalog import GENDER, Catalog

from ..gallery_cards import GalleryCards
from .requests import BadRequest, RankQuestion

RANK: Final = "rank"
SHOWN: Final = 12
MAX_LIKED: Final = 50


class Rankings:
    """Asks the ranking ensemble whose backbone is that of the user's arm."""

    def __init__(self, catalog: Catalog, client: AsyncClient) -> None:
        backbones = {each.name: each.backbone for each in catalog.ensembles(GENDER)}
        by_backbone = {each.backbone: each for each in catalog.stable_ensembles(RANK) if each.backbone}
        self._rank = {arm: by_backbone[name] for arm, name in backbones.items() if name in by_backbone}
        self._client = client
        folders = {arm: catalog.step_folder(ensemble.name, "gallery") for arm, ensemble in self._rank.items()}
        cards = {folder: GalleryCards(folder) for folder in {*folders.values()}}
        self._cards = {arm: cards[folder] for arm, folder in folders.items()}

    def __bool__(self) -> bool:
        """Whether the server ranks."""
        return bool(self._rank)

    def jpeg(self, version: int, picture: int) -> bytes | None:
        """The picture of a card, of a gallery version; None if no arm has that gallery, or it did not draw the card."""
        return next((cards.jpeg(picture) for cards in self._cards.values() if cards.version == version), None)

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
        gallery = self._cards[arm]
        cards = zip(ranking.pictures, ranking.scores, ranking.propensities, strict=True)
        return {
            "model": ranking.model,
            "version": ranking.version,
            "total_ms": 1000 * ranking.latency_s,
            "cards": [
                {
                    # As text: JavaScript rounds numbers above 2^53.
                    "id": str(picture),
                    "picture": f"cards/{gallery.version}/{picture}.jpg",
                    "title": gallery.title(picture),
                    "score": score,
                    "propensity": propensity,
                }
                for picture, score, propensity in cards
            ],
        }
