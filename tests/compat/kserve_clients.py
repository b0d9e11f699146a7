"""KServe's own clients: asks an ensemble for each user by REST and by gRPC, and prints the outputs as JSON."""

import asyncio
import json
import sys
from base64 import b64decode
from typing import Any

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig


def request(model: str, avatar: str, nickname: str) -> InferRequest:
    """One user; the tensors travel as bytes, for a picture is no text."""
    inputs = []
    for name, value in {"AVATAR": b64decode(avatar), "NICKNAME": nickname.encode()}.items():
        tensor = InferInput(name, [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[value]], np.object_), binary_data=True)
        inputs.append(tensor)
    return InferRequest(model_name=model, infer_inputs=inputs)


def outputs(response: InferResponse) -> dict[str, list[float]]:
    return {output.name: output.as_numpy().ravel().tolist() for output in response.outputs}


async def by_rest(url: str, model: str, users: list[list[str]], refused: list[str]) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        assert await client.is_model_ready(url, model)
        for unreadable in (client.is_server_live, client.is_server_ready):
            try:
                await unreadable(url)
            except ValueError:
                """It reads a body, and Triton sends none."""
            else:
                raise AssertionError("KServe's REST client reads Triton's health: say so in the README")
        answers = [outputs(await client.infer(url, request(model, *user), model_name=model)) for user in users]
        try:
            await client.infer(url, request(model, *refused), model_name=model)
        except httpx.HTTPStatusError as exc:
            return {"answers": answers, "refused": [exc.response.status_code, exc.response.json()["error"]]}
        raise AssertionError("nothing was refused")


async def by_grpc(url: str, model: str, users: list[list[str]], refused: list[str]) -> dict[str, Any]:
    async with InferenceGRPCClient(url, retries=0) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(model)
        answers = [outputs(await client.infer(request(model, *user))) for user in users]
        try:
            await client.infer(request(model, *refused))
        except grpc.RpcError as exc:
            return {"answers": answers, "refused": [exc.code().name, exc.details()]}
        raise AssertionError("nothing was refused")


async def ask(http_url: str, grpc_url: str, **question: Any) -> dict[str, Any]:
    return {"rest": await by_rest(f"http://{http_url}", **question), "grpc": await by_grpc(grpc_url, **question)}


print(json.dumps(asyncio.run(ask(**json.load(sys.stdin)))))
