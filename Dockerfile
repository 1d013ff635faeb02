# docker build -t titanic .
# docker run --rm titanic                          reproduces both pipelines and prints the scores
# docker run --rm -v "$PWD/out:/out" titanic       and leaves data, reports and locks in out/
# docker run --rm titanic dvc exp run -S train.n_estimators=200

FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
ENV UV_PROJECT_ENVIRONMENT=/opt/venv UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON=python3 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml uv.lock ./
COPY packages/dvckit/pyproject.toml packages/dvckit/
RUN /uv/bin/uv sync --locked --no-install-workspace
COPY . .
RUN /uv/bin/uv sync --locked --no-editable
# DVC needs a git history; one commit is all of it
RUN git init --quiet --initial-branch main /src && git add --all \
    && git -c user.name=titanic -c user.email=titanic@localhost commit --quiet --message "The project as built" \
    && git clone --quiet --bare /src /opt/titanic.git

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends git tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/titanic.git /opt/titanic.git
COPY .ci/container /usr/local/bin/container
# Every user id works: each container clones the project into a home of its own. USER stands in for a passwd entry.
RUN git config --system --add safe.directory '*' \
    && git config --system user.name titanic && git config --system user.email titanic@localhost \
    && useradd --create-home --uid 1000 user && mkdir -m 1777 /project
ENV PATH=/opt/venv/bin:$PATH HOME=/project USER=user PYTHONUNBUFFERED=1
WORKDIR /project
USER user
# -g: a signal reaches the whole group, so that a stage ends with the DVC that started it; -s: also when not process 1
ENTRYPOINT ["tini", "-s", "-g", "--", "container"]
