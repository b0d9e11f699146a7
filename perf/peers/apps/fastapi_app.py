"""FastAPI: the picture is the body; each worker answers on its event loop, one request after the other."""

from fastapi import FastAPI, Request

from perf.load.predictor import Predictor

app = FastAPI()
predictor = Predictor.from_environment()


@app.post("/predict")
async def predict(request: Request, nickname: str) -> dict[str, float]:
    return predictor.predict(await request.body(), nickname)
