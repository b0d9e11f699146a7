# nginx as the reverse proxy in front of Triton: TLS, tokens, limits, only the routes of inference, and only valid
# inferences.
#
#     docker build --file docker/reverse_proxy.Dockerfile --tag gender-reverse-proxy:0.4.0 .
FROM nginx:1.28-bookworm
COPY server/edge/nginx.conf.template server/edge/inference_request.js /etc/nginx/templates/
# nginx's entrypoint fills in the template from these variables. The defaults fit a Triton in the same pod.
ENV NGINX_ENVSUBST_OUTPUT_DIR=/tmp \
    FOLDER=/tmp \
    SCRIPTS=/etc/nginx/templates \
    HTTP=127.0.0.1:8000 \
    GRPC=127.0.0.1:8001 \
    READ_TIMEOUT=60s \
    LISTEN_HTTP="0.0.0.0:8080 ssl" \
    LISTEN_GRPC="0.0.0.0:8081 ssl" \
    TLS="ssl_certificate /run/secrets/tls.crt; ssl_certificate_key /run/secrets/tls.key;" \
    CLIENTS="include /run/secrets/clients;" \
    IN_FLIGHT=16 \
    BULK=8 \
    RATE=200 \
    LOG=off
USER 101:101
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --retries=3 \
    CMD ["curl", "--silent", "--fail", "--insecure", "--output", "/dev/null", "https://127.0.0.1:8080/v2/health/ready"]
CMD ["nginx", "-c", "/tmp/nginx.conf", "-g", "daemon off;"]
