# gatecamp in one static file, without a shell, as a user without rights.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/gatecamp ./cmd/gatecamp \
    && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/gatecamp /usr/local/bin/gatecamp
# The volume takes its owner from this folder, so that the user below can write.
COPY --from=build --chown=nonroot:nonroot /out/data /data
USER nonroot
ENV GATECAMP_DATA_DIR=/data
VOLUME /data
# /healthz, /readyz and /metrics, for whoever sets GATECAMP_HTTP_LISTEN=:8080.
EXPOSE 8080
# Waiting for the owner of the data folder is healthy too; a first full read of a large guild takes its time.
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m CMD ["/usr/local/bin/gatecamp", "health"]
ENTRYPOINT ["/usr/local/bin/gatecamp"]
CMD ["serve"]
