package telemetry

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// OTLP is a collector that takes logs by OTLP over HTTP in protobuf. Timeout, compression and certificates are read from the standard
// variables of OpenTelemetry by its SDK.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
type OTLP struct {
	Endpoint string                   // the whole address, path included; empty: none
	Headers  map[string]secret.String // sent with every request
}

// otlpTries is how often a batch is tried; what lies behind an address that refuses it for so long will not take it later.
const otlpTries = 5

// otlpWithin is how long one try may take.
const otlpWithin = 10 * time.Second

// otlp is a writer to a collector.
type otlp struct {
	exporter sdklog.Exporter
	provider *sdklog.LoggerProvider
	logger   log.Logger
	made     *records
}

// records gathers what the SDK makes of events. It takes the place of the SDK's own batches: those drop what there is no room for
// without telling us, and tell of errors to a global handler.
type records struct{ all []sdklog.Record }

func (r *records) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (r *records) Shutdown(context.Context) error                         { return nil }
func (r *records) ForceFlush(context.Context) error                       { return nil }

func (r *records) OnEmit(_ context.Context, one *sdklog.Record) error {
	r.all = append(r.all, one.Clone())
	return nil
}

func openOTLP(ctx context.Context, cfg *Config) (*otlp, error) {
	options := []otlploghttp.Option{otlploghttp.WithEndpointURL(cfg.OTLP.Endpoint), otlploghttp.WithRetry(otlploghttp.RetryConfig{})}
	if len(cfg.OTLP.Headers) > 0 {
		headers := map[string]string{}
		for name, value := range cfg.OTLP.Headers {
			headers[name] = value.Reveal()
		}
		options = append(options, otlploghttp.WithHeaders(headers))
	}
	exporter, err := otlploghttp.New(ctx, options...)
	if err != nil {
		return nil, problem.New(problem.Usage, "events cannot be sent by OTLP", "mend OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_… variables, or unset them").Because(err)
	}
	made := &records{}
	what := []attribute.KeyValue{attribute.String("service.name", cfg.Service)}
	if cfg.Version != "" {
		what = append(what, attribute.String("service.version", cfg.Version))
	}
	about, err := resource.Merge(resource.Environment(), resource.NewSchemaless(what...))
	if err != nil {
		about = resource.NewSchemaless(what...)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(made), sdklog.WithResource(about), sdklog.WithAttributeCountLimit(-1), sdklog.WithAttributeValueLengthLimit(-1))
	return &otlp{exporter: exporter, provider: provider, logger: provider.Logger(scopeName, log.WithInstrumentationVersion(cfg.Version)), made: made}, nil
}

func (o *otlp) reopen() error { return nil }
func (o *otlp) patience() int { return otlpTries }
func (o *otlp) cure() string {
	return "see whether the collector at OTEL_EXPORTER_OTLP_ENDPOINT answers and takes logs by http/protobuf"
}

func (o *otlp) write(ctx context.Context, batch []Told) (int, error) {
	o.made.all = o.made.all[:0]
	for i := range batch {
		o.logger.Emit(ctx, recordOf(&batch[i]))
	}
	ctx, end := context.WithTimeout(ctx, otlpWithin)
	defer end()
	if err := o.exporter.Export(ctx, o.made.all); err != nil {
		return 0, err
	}
	return len(batch), nil
}

// recordOf is an event as the SDK takes it: with the same names and values as in a line.
func recordOf(t *Told) log.Record {
	var r log.Record
	r.SetTimestamp(t.At)
	r.SetObservedTimestamp(t.Observed)
	r.SetSeverity(log.Severity(t.Type.Severity()))
	r.SetSeverityText(severityText(t.Type.Severity()))
	r.SetEventName(t.Type.Name())
	r.SetBody(attribute.StringValue(t.Type.Name()))
	attributes := t.Attributes()
	names := make([]string, 0, len(attributes))
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch v := attributes[name].(type) {
		case string:
			r.AddAttributes(attribute.String(name, v))
		case int:
			r.AddAttributes(attribute.Int(name, v))
		case int64:
			r.AddAttributes(attribute.Int64(name, v))
		case bool:
			r.AddAttributes(attribute.Bool(name, v))
		}
	}
	return r
}

func (o *otlp) close(ctx context.Context) error {
	_ = o.provider.Shutdown(ctx) // of our own processor: nothing can go wrong
	return o.exporter.Shutdown(ctx)
}
