# For those who have Docker; `make image` makes the same without it.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X ticketflow.dev/ticketflow/internal/version.number=${VERSION}" -o /ticketflow ./cmd/ticketflow

FROM scratch
ARG VERSION
LABEL org.opencontainers.image.title=ticketflow org.opencontainers.image.version="${VERSION}" org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /ticketflow /ticketflow
USER 65532:65532
ENTRYPOINT ["/ticketflow"]
