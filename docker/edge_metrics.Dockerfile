# Counts what the reverse proxy answers, logs failed requests, and watches its certificate; standard library only.
#
#     docker build --file docker/edge_metrics.Dockerfile --tag gender-edge-metrics:0.4.0 .
FROM python:3.12-slim-bookworm
WORKDIR /app
COPY server/__init__.py server/errors.py server/status_server.py server/
COPY server/edge/__init__.py server/edge/metrics.py server/edge/
USER 1000:1000
EXPOSE 5514/udp 8004
HEALTHCHECK --interval=10s --timeout=5s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8004/metrics')"]
# In the reverse proxy's pod. Elsewhere, add --front=<the reverse proxy>.
CMD ["python", "-m", "server.edge.metrics", "--listen=0.0.0.0:5514", "--address=0.0.0.0"]
