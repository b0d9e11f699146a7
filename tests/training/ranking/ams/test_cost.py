"""The formulas give the article's traffic of 20 nodes, 320,000 pictures and 1.4 million ids in a mini-batch."""

import pytest

from training.ranking.ams import cost
from training.ranking.ams.compression import Compression

PICTURES, IDS, DIMS = 320_000, 1_400_000, 4096
MIB, GIB = 2**20, 2**30
ARTICLE = Compression((DIMS, 256, 64, 12))


def test_pictures_in_the_samples_leave_the_ids_128_mib() -> None:
    assert cost.id_embeddings(IDS) / MIB == pytest.approx(128, abs=0.5)


def test_raw_vectors_from_servers_make_5_1_gib() -> None:
    assert cost.raw_vectors(PICTURES, DIMS) / GIB == pytest.approx(5.0, rel=0.03)
    assert (cost.raw_vectors(PICTURES, DIMS) + cost.id_embeddings(IDS)) / GIB == pytest.approx(5.1, rel=0.02)


def test_compressed_vectors_make_158_mib() -> None:
    assert cost.compressed_vectors(PICTURES) / MIB == pytest.approx(30, abs=1)
    assert (cost.compressed_vectors(PICTURES) + cost.id_embeddings(IDS)) / MIB == pytest.approx(158, abs=1)


def test_compression_saves_341_times_one_way_and_32_times_in_all() -> None:
    ids = cost.id_embeddings(IDS)
    raw, compressed = cost.raw_vectors(PICTURES, DIMS), cost.compressed_vectors(PICTURES)
    assert 2 * raw / compressed == pytest.approx(341.3, abs=0.1)
    assert (raw + ids) / (compressed + ids) == pytest.approx(32, abs=1)


def test_small_half_precision_vectors_make_82_mb() -> None:
    assert cost.raw_vectors(PICTURES, 128, 2) == 81_920_000


def test_all_reduce_that_the_article_leaves_out_is_the_size_of_its_whole_traffic() -> None:
    weights = ARTICLE.parameters - 256 - 64 - 12
    assert weights == 1_066_060
    assert 4 * weights == pytest.approx(4.26e6, rel=1e-3)
    assert cost.all_reduce(20, ARTICLE.parameters) / MIB == pytest.approx(154.6, abs=0.1)
