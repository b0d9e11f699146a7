"""The sample users cover every case."""

from io import BytesIO

from PIL import Image

from genderprep import prepare_image, prepare_text
from training.synthetic.sample_users import sample_users


def test_sample_users_cover_present_and_missing_inputs() -> None:
    users = sample_users()
    presence = {
        (prepare_image(user.avatar or b"")[1], prepare_text((user.nickname or "").encode())[1]) for user in users
    }
    assert presence == {(True, True), (True, False), (False, True), (False, False)}
    nicknames = " ".join(user.nickname or "" for user in users)
    assert all(part in nicknames for part in ("国强", "🌹", "灬", "Kevin"))
    assert all(Image.open(BytesIO(user.avatar)).size == (132, 132) for user in users if user.avatar)
