# The REST service: docker build -t exoclassify . && docker run -p 3000:3000 -v $PWD/keys.txt:/keys.txt:ro -e EXOCLASSIFY_KEYS_FILE=/keys.txt exoclassify
# It answers other machines only with API keys (service/README.md); mount a folder on /app/models to serve other models.
FROM python:3.11-slim

RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 exoclassify
WORKDIR /app
ENV PYTHONUNBUFFERED=1 BENTOML_DO_NOT_TRACK=True EXOCLASSIFY_SPOOL=/app/spool

COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY service service
RUN pip install --no-cache-dir '.[service,monitoring]'
COPY models models
RUN mkdir spool && chown -R exoclassify models spool

USER exoclassify
EXPOSE 3000
HEALTHCHECK --interval=10s --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:3000/readyz', timeout=5)"]
CMD ["bentoml", "serve", "service.app:PainService", "--host", "0.0.0.0", "--port", "3000"]
