FROM python:3.13-slim AS build
COPY requirements.txt .
# In an environment of its own, so that nothing but it is copied: neither pip nor its cache.
RUN python -m venv --without-pip /venv
RUN python -m pip --python /venv install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
COPY openapi.yaml LICENSE /app/
COPY handlers /app/handlers
COPY storage /app/storage
COPY alembic /app/alembic
# Whatever the umask where they come from.
RUN chmod -R a+rX /app
RUN /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.13-slim
# Hugging Face runs every Space as this user.
RUN useradd --create-home --uid 1000 user
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH ENVIRONMENT=production
USER 1000
EXPOSE 7860
# Of the process only: a question to the database every half minute would keep one awake that sleeps when it is idle.
# Not through a proxy, which Docker's own settings may put into every container's environment. In the start period, engines
# look every five seconds, so that `docker compose up --wait` need not wait for half a minute.
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://localhost:' + (os.environ.get('PORT') or '7860') + '/health/live', timeout=3)"]
ENTRYPOINT ["python", "-m", "handlers"]
CMD ["serve"]
