// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// The same contract as the API of app/ in Go's net/http. ADDRESS is where it listens; OTEL_EXPORTER_OTLP_ENDPOINT and
// OTEL_SERVICE_NAME are OpenTelemetry's own variables.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

var errInvalid = errors.New("invalid user id")

func isValid(ctx context.Context, id string) bool {
	_, span := otel.Tracer("bench").Start(ctx, "user.isValid")
	defer span.End()
	return id == "b"
}

func find(answer http.ResponseWriter, request *http.Request) {
	ctx, span := otel.Tracer("bench").Start(request.Context(), "user.Find")
	defer span.End()
	if isValid(ctx, request.PathValue("id")) {
		return // 200 with an empty body
	}
	span.RecordError(errInvalid)
	span.SetStatus(codes.Error, errInvalid.Error())
	answer.WriteHeader(http.StatusBadRequest)
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))

	routes := http.NewServeMux()
	routes.HandleFunc("GET /api/v1/users/{id}", find)
	server := &http.Server{Addr: os.Getenv("ADDRESS"), Handler: otelhttp.NewHandler(routes, "server")}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err = <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(ending), provider.Shutdown(ending))
}

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}
