package discordtest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// codec turns messages into frames: plain text, one zlib or zstd stream over the whole connection, or zlib for each payload alone.
type codec struct {
	kind    string       // "", "zlib-stream" or "zstd-stream"
	payload bool         // identify asked for payload compression
	each    *zlib.Writer // for payloads; a new one costs a megabyte
	buf     bytes.Buffer
	stream  interface {
		io.WriteCloser
		Flush() error
	}
}

func newCodec(kind string) (*codec, error) {
	c := &codec{kind: kind}
	switch kind {
	case "":
	case "zlib-stream":
		w, err := zlib.NewWriterLevel(&c.buf, zlib.BestSpeed)
		if err != nil {
			return nil, err
		}
		c.stream = w
	case "zstd-stream":
		w, err := zstd.NewWriter(&c.buf, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<18))
		if err != nil {
			return nil, err
		}
		c.stream = w
	default:
		return nil, fmt.Errorf("unknown compression %q: want zlib-stream or zstd-stream", kind)
	}
	return c, nil
}

// name is what a list of connections shows.
func (c *codec) name() string {
	if c.payload {
		return "payload"
	}
	return c.kind
}

// encode is the frame for a text; it is valid until the next call.
func (c *codec) encode(text []byte) (websocket.MessageType, []byte, error) {
	switch {
	case c.stream != nil:
		c.buf.Reset()
		if _, err := c.stream.Write(text); err != nil {
			return 0, nil, err
		}
		if err := c.stream.Flush(); err != nil {
			return 0, nil, err
		}
		return websocket.MessageBinary, c.buf.Bytes(), nil
	case c.payload:
		c.buf.Reset()
		if c.each == nil {
			w, err := zlib.NewWriterLevel(&c.buf, zlib.BestSpeed)
			if err != nil {
				return 0, nil, err
			}
			c.each = w
		}
		c.each.Reset(&c.buf)
		if _, err := c.each.Write(text); err != nil {
			return 0, nil, err
		}
		if err := c.each.Close(); err != nil {
			return 0, nil, err
		}
		return websocket.MessageBinary, c.buf.Bytes(), nil
	default:
		return websocket.MessageText, text, nil
	}
}

func (c *codec) close() {
	if c.stream != nil {
		c.stream.Close() //nolint:errcheck // it writes into memory
	}
}
