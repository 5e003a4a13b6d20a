# The image holds the program, certificate authorities and one user, and nothing
# else: no shell, no libc. The program checks its own health.
#
#   docker build --build-arg VERSION=$(git describe --always) -t realtime-gw .
#
# scripts/try-image goes through these steps without Docker.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/realtime-gw ./cmd/realtime-gw
# The embedded upstream spools large snapshots to /tmp.
RUN mkdir -p /out/etc /out/tmp && chmod 1777 /out/tmp && \
    echo 'realtime-gw:x:65532:65532::/:/sbin/nologin' > /out/etc/passwd && \
    echo 'realtime-gw:x:65532:' > /out/etc/group

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 3030
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/realtime-gw", "healthcheck"]
ENTRYPOINT ["/realtime-gw"]
CMD ["serve"]
