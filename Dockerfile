# One file for every image: `--build-arg SERVICE=discord-service` (or orchestrator-service, execution-service, discord-simulator, operator).
# The base needs python3 (3.11 or newer) with venv and pip; only its interpreter is used by what ships.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG SERVICE
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
# Byte code is checked by content, not by time stamp: the same sources give the same image, and a source that is changed in place counts.
ENV SOURCE_DATE_EPOCH=1735689600
WORKDIR /src
COPY requirements/images/build.lock requirements/images/${SERVICE}.lock requirements/images/
RUN python3 -m venv --without-pip /opt/botswain \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --quiet --no-compile --require-hashes --no-deps -r requirements/images/build.lock \
 && /opt/build/bin/pip --python /opt/botswain/bin/python install --quiet --no-compile --require-hashes --no-deps --only-binary :all: \
      -r "requirements/images/${SERVICE}.lock"
COPY proto proto
COPY services services
COPY operator operator
# Each distribution's pyproject.toml says which of the others it needs; a wheel of each, and nothing else, goes in.
RUN case "${SERVICE}" in \
      operator) set -- ./operator ;; \
      discord-simulator) set -- ./services/discord-simulator ;; \
      discord-service|orchestrator-service|execution-service) set -- ./proto ./services/framework "./services/${SERVICE}" ;; \
      *) echo "SERVICE: '${SERVICE}' is none of discord-service, orchestrator-service, execution-service, discord-simulator, operator" >&2; exit 1 ;; \
    esac \
 && /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheels "$@" \
 && /opt/build/bin/pip --python /opt/botswain/bin/python install --quiet --no-compile --no-deps --no-index /tmp/wheels/*.whl \
 && mkdir -p /opt/botswain/share \
 && for folder in mcp_servers config; do \
      if [ -d "services/${SERVICE}/${folder}" ]; then cp -r "services/${SERVICE}/${folder}" "/opt/botswain/share/${folder}"; fi; \
    done \
 && find /opt/botswain/bin ! -type d ! -name 'python*' ! -name 'botswain-*' -delete \
 && ln -s "botswain-${SERVICE}" /opt/botswain/bin/service \
 && python3 -m compileall -q --invalidation-mode checked-hash /opt/botswain/lib /opt/botswain/share \
 && find /opt/botswain -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE_IMAGE}
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="botswain-${SERVICE}" \
      org.opencontainers.image.description="Botswain ${SERVICE}: Discord agents on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/botswain /opt/botswain
# The base's installer has no work here: what is in the image is all there is.
RUN rm -rf /usr/bin/pip* /usr/local/bin/pip* /usr/lib/python3/dist-packages/pip* /usr/local/lib/python3*/site-packages/pip* \
      /usr/local/lib/python3*/ensurepip
# PYTHONSAFEPATH: nothing is imported from the working directory. HOME is a place that a read-only root leaves writable.
ENV PATH=/opt/botswain/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BIND_HOST=0.0.0.0 \
    SIMULATOR_HOST=0.0.0.0 \
    HOME=/tmp
WORKDIR /opt/botswain/share
USER 10001:10001
ENTRYPOINT ["/opt/botswain/bin/service"]
