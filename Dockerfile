# Built in two steps, so that what builds packages is not in what runs.
FROM python:3.12-slim AS packages
WORKDIR /srv/goalpost
RUN python -m venv .venv
COPY requirements.txt .
RUN .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.12-slim
RUN useradd --system --create-home --home-dir /srv/goalpost --uid 10001 goalpost
WORKDIR /srv/goalpost
COPY --from=packages /srv/goalpost/.venv .venv
COPY app.py ./
COPY core core
COPY campaigns campaigns
COPY payments payments
COPY widget widget
COPY admin admin
COPY ops ops
COPY templates templates
COPY static static
COPY translations translations
COPY migrations migrations
RUN mkdir instance && chown goalpost instance
ENV PATH=/srv/goalpost/.venv/bin:$PATH PYTHONUNBUFFERED=1 WEB_HOST=0.0.0.0
USER goalpost
EXPOSE 8000
VOLUME /srv/goalpost/instance
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["flask", "--app", "app", "serve"]
