"""A gRPC server that answers every inference with given bytes or a given refusal, over a real socket."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb

Answer = Callable[[grpc.ServicerContext], bytes]


@contextmanager
def grpc_server(answer: Answer) -> Iterator[int]:
    """Yields the port of a server on which `answer` makes the serialized response to each call."""

    class AnyMethod(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: answer(context))

    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(2), handlers=(AnyMethod(),), options=options)
    port = int(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def output(name: str, datatype: str, shape: list[int], content: bytes) -> bytes:
    """A response with one output."""
    message = pb.ModelInferResponse(model_name="gender_mobilenet", model_version="1", raw_output_contents=[content])
    message.outputs.add(name=name, datatype=datatype, shape=shape)
    return bytes(message.SerializeToString())


def refuse(code: grpc.StatusCode, message: str, **trailers: str) -> Answer:
    def answer(context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata([(name.replace("_", "-"), value) for name, value in trailers.items()])
        context.abort(code, message)
        raise AssertionError

    return answer
