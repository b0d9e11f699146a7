# The Triton of the nvidia-pytriton wheel on a slim Python, for development and CI. It is Triton 2.51, which predates
# security fixes: keep it where only your own programs reach it.
#
#     docker build --file docker/wheel.Dockerfile --tag gender-wheel:0.1.0 .
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
# What the launcher would prepare at its first start, while the root can still be written. It is known again by the
# backend's time of change, of which a layer keeps whole seconds only.
RUN find / -xdev -name libtriton_python.so -exec touch --date=@0 {} + \
    && install --directory --owner=1000 --group=1000 /var/cache/gender
USER 1000:1000
RUN ["python", "-c", "from server.launch.runtime import find_wheel, prepare; prepare(find_wheel())"]
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["genderclient", "health"]
# On loopback: run it with --network host, or the front beside it with --network container:<this one>.
CMD ["python", "-m", "server.supervisor", "--model-repository=model_repository"]
