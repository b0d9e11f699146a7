# NVIDIA's Triton with its C++ backend for ONNX, the model repository and the packages that its Python model imports.
#
#     docker build --file docker/triton.Dockerfile --tag gender-triton:0.4.0 .

# Builds the SDK as a wheel, so that the build tools stay out of the image.
FROM python:3.12-slim-bookworm AS sdk
WORKDIR /build
COPY requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/build.txt
COPY client client
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels ./client

# Ubuntu 24.04 with Python 3.12.
FROM nvcr.io/nvidia/tritonserver:26.07-py3
WORKDIR /opt/gender
COPY requirements/container.txt requirements/
COPY --from=sdk /build/wheels wheels
RUN python3 -m pip install --no-cache-dir --break-system-packages --require-hashes --requirement requirements/container.txt \
    && python3 -m pip install --no-cache-dir --break-system-packages --no-deps wheels/*.whl
COPY docker/triton.sh docker/health.sh /usr/local/bin/
COPY model_repository /models

# server/launch/launcher.py explains these.
ENV MALLOC_MMAP_THRESHOLD_=8388608 \
    MALLOC_TRIM_THRESHOLD_=16777216 \
    MALLOC_TOP_PAD_=16777216 \
    OPENBLAS_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1
# The unprivileged user of NVIDIA's image. Kubernetes needs the number to verify that it is not root.
USER 1000:1000
EXPOSE 8000 8001 8002
# Triton's own health endpoint stays green when a model fails.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["genderclient", "health"]
ENTRYPOINT ["triton.sh"]
CMD ["--model-repository=/models"]
