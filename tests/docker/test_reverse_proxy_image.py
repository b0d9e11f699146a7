"""What the reverse proxy's image runs, with this machine's envsubst and nginx, in front of a real Triton."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from tritonclient.grpc import service_pb2 as pb

from genderclient import Client, Tls
from server.edge.access_policy import IN_FLIGHT
from server.edge.reverse_proxy import TEMPLATE, find_nginx
from server.launch.process import free_ports
from tests.support.docker.dockerfiles import copied, image
from tests.support.server.edge import JOB, MODEL, SHOP, EdgeFiles, bearer, grpc_status, infer_message, write_edge_files
from tests.support.tritonserver import ROOT, Server
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(find_nginx() is None, reason="nginx is not installed"),
    pytest.mark.skipif(shutil.which("envsubst") is None, reason="envsubst is not installed"),
]
IMAGE = image("reverse-proxy")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> EdgeFiles:
    """The secrets, under the names that the image expects."""
    written = write_edge_files(tmp_path_factory.mktemp("secrets"))
    written.certificate.rename(written.certificate.with_name("tls.crt"))
    written.key.rename(written.key.with_name("tls.key"))
    return written


@pytest.fixture(scope="module")
def grpc_url(triton: Server, files: EdgeFiles) -> Iterator[str]:
    with running_image(files, f"{triton.http_url}; server {triton.http_url}", triton.grpc_url) as url:
        yield url


@contextmanager
def running_image(files: EdgeFiles, http_server: str, grpc_server: str, **settings: str) -> Iterator[str]:
    """Run nginx as the image starts it, with its folders and ports on this machine; yield the address of gRPC."""
    folder = files.clients.parent
    http, grpc = free_ports(2)
    replacements = {
        "/run/secrets": str(folder),
        "/etc/nginx/templates": str(TEMPLATE.parent),
        "/tmp": str(folder),
        "0.0.0.0:8080": f"127.0.0.1:{http}",
        "0.0.0.0:8081": f"127.0.0.1:{grpc}",
        "127.0.0.1:8000": http_server,
        "127.0.0.1:8001": grpc_server,
    }
    pattern = re.compile("|".join(map(re.escape, replacements)))
    variables = {
        name: pattern.sub(lambda match: replacements[match[0]], value) for name, value in IMAGE.environment.items()
    }
    (folder / "nginx.conf").write_text(substituted(variables | settings))
    nginx, *options = [word.replace("/tmp", str(folder)) for word in IMAGE.command]
    with subprocess.Popen([find_nginx() or nginx, *options], stderr=subprocess.DEVNULL) as process:
        try:
            yield f"127.0.0.1:{grpc}"
        finally:
            process.terminate()


def substituted(variables: dict[str, str]) -> str:
    """Fill in the template as nginx's entrypoint does: only environment variables, not nginx's own."""
    names = " ".join(f"${{{name}}}" for name in variables)
    template, environment = TEMPLATE.read_text(encoding="utf-8"), {**os.environ, **variables}
    done = subprocess.run(
        ["envsubst", names], input=template, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_reload_revokes_a_token(grpc_url: str, files: EdgeFiles) -> None:
    def status() -> str:
        request = pb.ModelReadyRequest(name=MODEL)
        return grpc_status(grpc_url, "ModelReady", request, bearer(JOB), files.authority)

    wait_until(lambda: status() == "OK")
    files.clients.write_text(f'"Bearer {SHOP}" shop;\n')
    subprocess.run([find_nginx() or "", "-c", files.clients.with_name("nginx.conf"), "-s", "reload"], check=True)
    wait_until(lambda: status().startswith("UNAUTHENTICATED"))


TRITONS = ("triton-1", "triton-2")


def test_server_that_hangs_gets_no_more_requests(triton: Server, files: EdgeFiles) -> None:
    """With the settings of compose.yaml. The second server accepts connections and never answers."""
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    composed = services["reverse-proxy"]["environment"]

    def status() -> str:
        return grpc_status(url, "ModelInfer", infer_message(), bearer(SHOP), files.authority)

    with socket.create_server(("127.0.0.1", 0)) as hung:
        grpc_server = composed["GRPC"]
        for name, address in zip(TRITONS, (triton.grpc_url, f"127.0.0.1:{hung.getsockname()[1]}"), strict=True):
            fixed = services[name]["networks"]["triton"]["ipv4_address"]
            grpc_server = grpc_server.replace(f"{fixed}:8001", address)
        with running_image(files, triton.http_url, grpc_server, READ_TIMEOUT=composed["READ_TIMEOUT"]) as url:
            wait_until(lambda: status() == "OK")
            statuses = [status() for _ in range(16)]
    assert set(statuses) == {"OK", "UNAVAILABLE: unavailable: Triton does not answer; try again later"}
    assert statuses.count("OK") >= 13
    assert statuses[-4:] == ["OK"] * 4


def test_image_serves_clients_with_a_token(grpc_url: str, files: EdgeFiles) -> None:
    with Client(f"grpcs://{grpc_url}", tls=Tls(ca_file=files.authority), token=SHOP) as client:
        client.wait_until_ready(model="gender_mobilenet")
        assert client.predict(nickname="小美").gender == "female"


def test_entrypoint_finds_the_template_and_fills_in_all_variables() -> None:
    (copy,) = IMAGE.values("COPY")
    _, (template, script), destination = copied(copy)
    assert (ROOT / template, ROOT / script) == (TEMPLATE, TEMPLATE.with_name("inference_request.js"))
    settings = IMAGE.environment
    assert destination == f"{settings['SCRIPTS']}/" == "/etc/nginx/templates/"
    assert not re.search(r"\$\{[A-Z_]+\}", substituted(settings))
    assert IMAGE.command[2] == f"{settings['NGINX_ENVSUBST_OUTPUT_DIR']}/{TEMPLATE.stem}"
    assert int(settings["IN_FLIGHT"]) == IN_FLIGHT
