"""A preference world over the pictures of a served gallery, in which the truth is known."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.arrays import FloatsNK, IntsN, IntsNK
from training.synthetic.preference_pictures import Stock
from training.synthetic.preference_sessions import Profiles, Sessions, draw_profiles, draw_sessions
from training.synthetic.preferences import World, cells_of, draw_world

from ..gallery_cards import GalleryCards

# Each visit offers so many pictures, drawn by popularity; the ranker shows the best of them.
CANDIDATES = 20
USERS = 1000


@dataclass(frozen=True)
class Town:
    """A world whose pictures are the drawn cards of a gallery, and the profiles of its users."""

    world: World
    stock: Stock
    profiles: Profiles

    def visits(self, count: int, seed: int) -> Sessions:
        """Draw visits: a user with a history, and `CANDIDATES` pictures."""
        return draw_sessions(self.world, self.stock, self.profiles, count, seed, range(1, 2), shown=CANDIDATES)

    def p_like(self, visits: Sessions, rows: IntsNK) -> FloatsNK:
        """Return the true P(like) of pictures, given as rows of the stock [N, K]."""
        p_like: FloatsNK = self.world.p_like[visits.types[:, None], self.stock.cells[rows]]
        return p_like

    def rows(self, ids: IntsN) -> IntsN:
        """Return the rows of picture ids, which the stock has in ascending order."""
        return np.searchsorted(self.stock.ids, ids)


def build_town(folder: Path, seed: int) -> Town:
    """Build a world over the cards of a gallery folder, which `gallery.json` says how to draw."""
    gallery = GalleryCards(folder)
    if not gallery.are_drawn:
        raise SystemExit(f"loop: {folder} has pictures that were not drawn here; the town needs the shipped gallery")
    cards, ids = [gallery.card(picture) for picture in gallery.ids], np.array(gallery.ids)
    # A cell without a card is left out of the world.
    present, cells = np.unique(
        cells_of([card.theme for card in cards], [card.style for card in cards]), return_inverse=True
    )
    world = draw_world(seed)
    exposure = world.exposure[present] / world.exposure[present].sum()
    world = replace(world, p_like=world.p_like[:, present], exposure=exposure)
    days, appeal = np.zeros(len(ids), np.int64), np.ones(len(ids))
    return Town(world, Stock(ids, cells, days, appeal, window=2), draw_profiles(USERS, seed))
