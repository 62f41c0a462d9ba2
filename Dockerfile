# For those who have Docker; `make image` makes the same without it.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /ticketflow ./cmd/ticketflow

FROM scratch
COPY --from=build /ticketflow /ticketflow
USER 65532:65532
ENTRYPOINT ["/ticketflow"]
