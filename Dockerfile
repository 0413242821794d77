# The API, the follower and the migrations are one image; what runs is the command.
FROM python:3.13-slim

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock \
    && useradd --system --uid 10001 --no-create-home ledger \
    && install --directory --owner ledger --mode 755 /sealed \
    && install --directory --owner ledger --mode 700 /sealer

COPY ledger ./ledger
COPY projections ./projections
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LEDGER_HOST=0.0.0.0
USER ledger
EXPOSE 8000
ENTRYPOINT ["python", "-m", "ledger.cli"]
CMD ["serve"]
