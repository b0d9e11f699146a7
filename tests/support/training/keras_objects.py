"""Serialization of Keras objects."""

from typing import Any

import keras


def from_own_config(thing: Any) -> Any:
    """Serialize and deserialize a Keras object; assert that its config is unchanged."""
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(thing))
    assert type(again) is type(thing)
    assert again.get_config() == thing.get_config()
    return again
