package app

import (
	"context"
	"net/url"
	"time"

	"github.com/vigil-post/vigil/spans"
)

// Trace says where it is told what duties' time goes into; nowhere if OTLP is empty.
type Trace struct {
	OTLP string // the URL of a collector that takes OTLP over HTTP
}

type fileTrace struct {
	OTLP string `toml:"otlp"`
}

func (c *checker) trace(f fileTrace) Trace {
	u, err := url.Parse(f.OTLP)
	if f.OTLP != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		c.wrong("trace.otlp", `write it as "http://127.0.0.1:4318"; the collector must take OTLP over HTTP, which gRPC's port 4317 does not`, "this is no URL of a collector")
	}
	return Trace(f)
}

// spansPatience is how long the end of the daemon waits for a collector.
const spansPatience = 3 * time.Second

// openSpans begins to tell of spans, if anybody wants to know.
func (d *Daemon) openSpans(ctx context.Context) error {
	way, err := d.openWay(ctx, d.config)
	if err != nil {
		return err
	}
	d.spans = spans.New()
	d.spans.Take(way)
	d.onClose(func() error {
		d.closeWay(ctx, d.spans)
		return nil
	})
	return nil
}

// openWay leads to the collector of a configuration; it is nil where there is none.
func (d *Daemon) openWay(ctx context.Context, c Config) (*spans.Tracer, error) {
	if c.Trace.OTLP == "" {
		return nil, nil
	}
	return spans.Open(ctx, spans.Config{URL: c.Trace.OTLP, Name: c.Alarms.name(), Version: c.Version, Log: d.log})
}

// closeWay hands over what is left; it does not wait for long.
func (d *Daemon) closeWay(ctx context.Context, way *spans.Tracer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spansPatience)
	defer cancel()
	if err := way.Close(ctx); err != nil {
		d.log.Warn("the last spans did not come to the collector", "error", err)
	}
}
