"""The yardstick: an aiohttp handler that parses a JSON body and answers JSON, and does nothing else."""

import json
import sys

import uvloop
from aiohttp import web


async def handle(request: web.Request) -> web.Response:
    body = json.loads(await request.read())
    answer = {"message": "Event accepted.", "eventId": body["category"]}
    return web.Response(body=json.dumps(answer).encode(), content_type="application/json")


async def serve(port: int) -> None:
    app = web.Application()
    app.router.add_post("/api/v1/event", handle)
    await web._run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
