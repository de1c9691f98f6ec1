# A container that computes on the CPU:
#
#     make image
#     docker run -it --rm -v "$PWD":/data dns-tui solver.prototxt
#
# Dockerfile.cuda is the one for NVIDIA GPUs.
FROM golang:1.26.8-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN make build NOCUDA=1 VERSION="$VERSION" \
    && make install DESTDIR=/out PREFIX=/usr \
    && sh scripts/licenses.sh /out/usr/share/doc/dns-tui/licenses ./cmd/dns-tui

FROM debian:12.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libopenblas0-pthread libturbojpeg0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 dns-tui
COPY --from=build /out /
USER 1000
WORKDIR /data
ENV LANG=C.UTF-8
ENTRYPOINT ["dns-tui"]
CMD ["help"]
