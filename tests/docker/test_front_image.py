"""What the front's image runs, here with the machine's envsubst and nginx, before a real Triton."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from genderclient import Client, Tls
from server.edge.access_policy import IN_FLIGHT
from server.edge.reverse_proxy import TEMPLATE, find_nginx
from server.launch.process import free_ports
from tests.support.docker.dockerfiles import copied, image
from tests.support.tritonserver import ROOT, Server

TOKEN = "0123456789abcdef" * 4
pytestmark = [
    pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine"),
    pytest.mark.skipif(shutil.which("envsubst") is None, reason="there is no envsubst on this machine"),
    pytest.mark.skipif("${TLS}" not in TEMPLATE.read_text(), reason="this nginx.conf.template has no TLS"),
]


@pytest.fixture(scope="module")
def certificates() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def front(triton: Server, certificates: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx as the image starts it, its secrets and folders moved here; where it listens for gRPC."""
    folder = tmp_path_factory.mktemp("front")
    certificate = certificates.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "tls.crt", append=True)
    (folder / "clients").write_text(f'"Bearer {TOKEN}" shop;\n')
    http, grpc = free_ports(2)
    moved = {
        "/run/secrets": str(folder),
        "/tmp": str(folder),
        "0.0.0.0:8080": f"127.0.0.1:{http}",
        "0.0.0.0:8081": f"127.0.0.1:{grpc}",
        # Two of them, written as compose.yaml does.
        "127.0.0.1:8000": f"{triton.http_url}; server {triton.http_url}",
        "127.0.0.1:8001": f"{triton.grpc_url}; server {triton.grpc_url}",
    }
    places = re.compile("|".join(map(re.escape, moved)))
    variables = {
        name: places.sub(lambda found: moved[found[0]], value) for name, value in image("front").environment.items()
    }
    (folder / "nginx.conf").write_text(filled(variables))
    nginx, *options = [word.replace("/tmp", str(folder)) for word in image("front").command]
    with subprocess.Popen([find_nginx() or nginx, *options], stderr=subprocess.DEVNULL) as process:
        yield f"127.0.0.1:{grpc}"
        process.terminate()


def filled(variables: dict[str, str]) -> str:
    """The template as nginx' entrypoint fills it in: only what is in the environment, all else is nginx' own."""
    names = " ".join(f"${{{name}}}" for name in variables)
    template = TEMPLATE.read_text(encoding="utf-8")
    done = subprocess.run(
        ["envsubst", names], input=template, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_it_answers_who_has_a_token(front: str, certificates: trustme.CA, tmp_path: Path) -> None:
    certificates.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Client(f"grpcs://{front}", tls=Tls(ca_file=tmp_path / "ca.pem"), token=TOKEN) as client:
        client.wait_until_ready(model="gender_mobilenet")
        assert client.predict(nickname="小美").gender == "female"


def test_the_template_is_where_nginxs_entrypoint_looks_and_wholly_filled_in() -> None:
    (copy,) = image("front").values("COPY")
    _, (source,), destination = copied(copy)
    assert ROOT / source == TEMPLATE
    assert destination == "/etc/nginx/templates/"
    settings = image("front").environment
    assert not re.search(r"\$\{[A-Z_]+\}", filled(settings))
    assert image("front").command[2] == f"{settings['NGINX_ENVSUBST_OUTPUT_DIR']}/{TEMPLATE.stem}"
    assert int(settings["IN_FLIGHT"]) == IN_FLIGHT
