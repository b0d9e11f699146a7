"""Call an ensemble with KServe's REST and gRPC clients, and print the outputs as JSON."""

import asyncio
import json
import sys
from base64 import b64decode
from typing import Any

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig


def build_request(model: str, avatar: str, nickname: str) -> InferRequest:
    """A request for one user. The tensors are binary, because an image is not text."""
    inputs = []
    for name, value in {"AVATAR": b64decode(avatar), "NICKNAME": nickname.encode()}.items():
        tensor = InferInput(name, [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[value]], np.object_), binary_data=True)
        inputs.append(tensor)
    return InferRequest(model_name=model, infer_inputs=inputs)


def read_outputs(response: InferResponse) -> dict[str, list[float]]:
    return {output.name: output.as_numpy().ravel().tolist() for output in response.outputs}


async def call_rest(url: str, model: str, users: list[list[str]], invalid: list[str]) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        assert await client.is_model_ready(url, model)
        for check in (client.is_server_live, client.is_server_ready):
            try:
                await check(url)
            except ValueError:
                """The client expects a body, and Triton sends none."""
            else:
                raise AssertionError("KServe's REST client can read Triton's health now; update the README")
        requests = [build_request(model, *user) for user in users]
        outputs = [read_outputs(await client.infer(url, request, model_name=model)) for request in requests]
        try:
            await client.infer(url, build_request(model, *invalid), model_name=model)
        except httpx.HTTPStatusError as exc:
            return {"outputs": outputs, "error": [exc.response.status_code, exc.response.json()["error"]]}
        raise AssertionError("the invalid request was accepted")


async def call_grpc(url: str, model: str, users: list[list[str]], invalid: list[str]) -> dict[str, Any]:
    async with InferenceGRPCClient(url, retries=0) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(model)
        outputs = [read_outputs(await client.infer(build_request(model, *user))) for user in users]
        try:
            await client.infer(build_request(model, *invalid))
        except grpc.RpcError as exc:
            return {"outputs": outputs, "error": [exc.code().name, exc.details()]}
        raise AssertionError("the invalid request was accepted")


async def main(http_url: str, grpc_url: str, **arguments: Any) -> None:
    rest = await call_rest(f"http://{http_url}", **arguments)
    print(json.dumps({"rest": rest, "grpc": await call_grpc(grpc_url, **arguments)}))


asyncio.run(main(**json.load(sys.stdin)))
