FROM python:3.14-slim AS build
COPY requirements.txt .
# Into a virtual environment, so that the final stage copies only the packages, without pip and its cache.
RUN python -m venv --without-pip /venv
RUN python -m pip --python /venv install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
COPY openapi.yaml LICENSE /app/
COPY handlers /app/handlers
COPY storage /app/storage
COPY alembic /app/alembic
# The umask of the checkout may have made the files unreadable to other users.
RUN chmod -R a+rX /app
RUN /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.14-slim
# Hugging Face runs every Space as user 1000.
RUN useradd --create-home --uid 1000 user
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH ENVIRONMENT=production
USER 1000
EXPOSE 7860
# Checks only the process: a query every 30 seconds would keep a database awake that sleeps when idle. Bypasses proxies,
# which Docker's own settings may add to the environment of every container. During the start period the engine checks
# every five seconds, so `docker compose up --wait` does not take half a minute.
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://localhost:' + (os.environ.get('PORT') or '7860') + '/health/live', timeout=3)"]
ENTRYPOINT ["python", "-m", "handlers"]
CMD ["serve"]
