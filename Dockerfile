# PingPilot in a container: data in the volume /data, settings from the environment, not as root.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pingpilot pingpilot
COPY bots bots
COPY api api
COPY models models
RUN python -m venv /opt/pingpilot \
    && /opt/pingpilot/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data pingpilot
COPY --from=build /opt/pingpilot /opt/pingpilot
ENV PATH=/opt/pingpilot/bin:$PATH \
    PINGPILOT_DATA_DIR=/data \
    PINGPILOT_HTTP_HOST=0.0.0.0 \
    PINGPILOT_LOG_FORMAT=json
USER pingpilot
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + (os.environ.get('PINGPILOT_HTTP_PORT') or '8080') + '/healthz', timeout=4)"]
CMD ["pingpilot", "run"]
