# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package cli \
    && cp target/release/hostler /usr/local/bin/hostler

FROM debian:bookworm-slim
# The panels' certificates are checked against the system's authorities.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hostler \
    && install --directory --owner=hostler --group=hostler --mode=0700 /var/lib/hostler
COPY --from=build /usr/local/bin/hostler /usr/local/bin/hostler
USER 10001
WORKDIR /var/lib/hostler
ENV HOSTLER_DATA_DIR=/var/lib/hostler
# A stop lets running calls to panels end: give it more time than `worker.grace_seconds`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["hostler"]
CMD ["--help"]
