# syntax=docker/dockerfile:1
# An image of the gateway: docker build -t outpost .
#
# Both images must be of the same Debian release: the program is linked with the release's libraries.
ARG SWIFT_IMAGE=swift:6.3-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${SWIFT_IMAGE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends \
        pkg-config libclamav-dev libpcre2-dev libssl-dev libsqlite3-dev libunbound-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /outpost
# The dependencies in a layer of their own: they change less often than our sources.
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
# The Swift runtime is linked in, so the runtime image needs no Swift.
RUN swift build -c release --product outpost \
    && swift build -c release --product outpost-scanner \
    && install -D --strip --target-directory=/install/usr/bin \
        "$(swift build -c release --show-bin-path)/outpost" \
        "$(swift build -c release --show-bin-path)/outpost-scanner"

FROM ${RUNTIME_IMAGE}
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends \
        ca-certificates libclamav12 libpcre2-8-0 libsqlite3-0 libssl3 libstdc++6 libunbound8 libvectorscan5 publicsuffix zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10025 --home-dir /var/lib/outpost --shell /usr/sbin/nologin outpost \
    && install -d -o outpost -g outpost -m 0700 /var/lib/outpost \
    && install -d -m 0755 /var/lib/clamav /etc/outpost
COPY --from=build /install /
COPY etc/outpost.yaml /etc/outpost/outpost.yaml
COPY Rules /etc/outpost/rules

USER outpost
# Docker and Podman let any user of a container open low ports; elsewhere set net.ipv4.ip_unprivileged_port_start=0, or a
# port above 1023 with OUTPOST_LISTENERS__0__ADDRESS.
EXPOSE 25
# Messages that wait for review, and signatures (kept up to date by freshclam from another container or the host).
VOLUME ["/var/lib/outpost", "/var/lib/clamav"]
# A greeting is what a client waits for; 220 is the only good one.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${HEALTH_CHECK_PORT:-25} && read -r -t 8 line <&3 && printf 'QUIT\\r\\n' >&3 && [[ $line == 220* ]]"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["outpost"]
CMD ["serve", "--config", "/etc/outpost/outpost.yaml"]
