# Two images of one service. `api` has no torch and reads no models: it serves, migrates and backs up. `worker` computes,
# on CPUs or GPUs by the torch that TORCH_INDEX_URL leads to; without it, what pip's own index has.
#
#   docker build --target api --tag broca-api .
#   docker build --target worker --tag broca-worker --build-arg TORCH_INDEX_URL=... .

ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN python -m pip install "pip==26.3" && python -m venv --without-pip /opt/broca
# What the extras bring, without Broca itself: what is installed of it stays when only the code changes.
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        [print(*project['dependencies'], *project['optional-dependencies'][extra], sep='\n', file=open(f'{extra}.txt', 'w')) \
         for extra in ('server', 'models')]"

FROM build AS build-api
RUN python -m pip --python /opt/broca install --constraint constraints.txt -r server.txt
COPY README.md LICENSE ./
COPY api api
COPY broca broca
COPY charts charts
COPY migrations migrations
COPY perf perf
COPY scoring scoring
COPY storage storage
COPY worker worker
RUN python -m pip --python /opt/broca install --no-deps --build-constraint constraints.txt .

FROM build AS build-worker
ARG TORCH_INDEX_URL=""
RUN if [ -n "$TORCH_INDEX_URL" ]; then \
        python -m pip --python /opt/broca install --no-deps --constraint constraints.txt \
            --index-url "$TORCH_INDEX_URL" torch; \
    fi
RUN python -m pip --python /opt/broca install --constraint constraints.txt -r server.txt -r models.txt
COPY README.md LICENSE ./
COPY api api
COPY broca broca
COPY charts charts
COPY migrations migrations
COPY perf perf
COPY scoring scoring
COPY storage storage
COPY worker worker
RUN python -m pip --python /opt/broca install --no-deps --build-constraint constraints.txt .

FROM ${PYTHON_IMAGE} AS runtime
RUN python -m pip uninstall --yes --root-user-action ignore pip \
    && groupadd --gid 10001 broca \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin broca \
    && install --directory --owner 10001 --group 10001 --mode 0750 /data
ENV PATH=/opt/broca/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BROCA_DATA_DIR=/data \
    BROCA_LOG_FORMAT=json
WORKDIR /data
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["broca"]

FROM runtime AS api
COPY --from=build-api /opt/broca /opt/broca
ENV BROCA_HOST=0.0.0.0 BROCA_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["serve", "--no-worker"]

FROM runtime AS worker
COPY --from=build-worker /opt/broca /opt/broca
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s --retries=3 CMD ["broca", "doctor", "--worker"]
CMD ["worker"]
