# The Triton of the nvidia-pytriton wheel on a slim Python, for development and CI. Triton 2.51 lacks security fixes:
# allow only your own programs to reach it.
#
#     docker build --file docker/wheel.Dockerfile --tag gender-wheel:0.4.0 .
FROM python:3.12-slim-bookworm
WORKDIR /app
COPY requirements/serve.txt requirements/
COPY client client
RUN pip install --no-cache-dir --require-hashes --requirement requirements/serve.txt \
    && pip install --no-cache-dir --no-deps --no-build-isolation ./client
COPY server server
COPY model_repository model_repository

ENV PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/var/cache/gender
# Prepares the launcher's runtime folder while the root file system is writable. The folder's key contains the
# modification time of the backend, and image layers keep whole seconds only.
RUN find / -xdev -name libtriton_python.so -exec touch --date=@0 {} + \
    && install --directory --owner=1000 --group=1000 /var/cache/gender
USER 1000:1000
RUN ["python", "-c", "from server.launch.runtime import find_wheel, prepare; prepare(find_wheel())"]
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["genderclient", "health"]
# It listens on loopback: run it with --network host, or a reverse proxy with --network container:<this container>.
CMD ["python", "-m", "server.supervisor", "--model-repository=model_repository"]
