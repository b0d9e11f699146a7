# Training, evaluation and conversion.
#
#     docker build --file docker/training.Dockerfile --tag gender-training:0.4.0 .
FROM python:3.12-slim-bookworm
WORKDIR /app
COPY requirements/train.txt requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/train.txt
COPY conversion conversion
COPY figures figures
COPY model_repository model_repository
COPY server server
COPY training training

# `genderprep` and `picturegallery` are imported from the model repository. Keras and matplotlib write files into the home folder.
ENV PYTHONPATH=/app:/app/model_repository/preprocess/1:/app/model_repository/gallery/1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER 1000:1000
ENTRYPOINT ["python", "-m"]
CMD ["training.gender.train", "--help"]
