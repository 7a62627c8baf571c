package devnet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// The limits of the API. A node's are wider: it takes requests of 100 MiB.
const (
	maxRequest     = 4 << 20          // bytes of a request, over HTTP or in a WebSocket message
	headerPatience = 10 * time.Second // for a request's head
	bodyPatience   = 30 * time.Second // for its body
	idlePatience   = 2 * time.Minute  // for the next request on a connection
)

// limited hands on requests that arrive whole, in time and within their size.
// One that does not is answered by the JSON-RPC library as if it broke off.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
			next.ServeHTTP(limitedUpgrade{w}, r)
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(bodyPatience)) // a writer that has none belongs to a test
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
		if err == nil && len(body) <= maxRequest {
			_ = control.SetReadDeadline(time.Time{}) // a call may take longer than its request
		} // else the server still reads what is left, and must not wait for it
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
		next.ServeHTTP(w, r)
	})
}

// broken is the end of a body: its error, or none.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

// limitedUpgrade gives a WebSocket a connection that counts.
type limitedUpgrade struct{ http.ResponseWriter }

// Hijack is how a WebSocket takes the connection over.
func (u limitedUpgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &meteredConn{Conn: conn}, rw, nil
}

// meteredConn reads along what a WebSocket client sends (RFC 6455, 5.2) and
// breaks off when a message becomes longer than a request may be. The library
// that reads it has no limit of its own. One goroutine reads.
type meteredConn struct {
	net.Conn
	head    []byte // of the frame that begins
	left    uint64 // of the frame's payload
	message uint64 // bytes of the message so far, over its frames
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.pass(p[:n]) {
		return 0, fmt.Errorf("websocket message of more than %d bytes", maxRequest)
	}
	return n, err
}

// pass follows the frames through some bytes; it is false when a message is too long.
func (c *meteredConn) pass(b []byte) bool {
	for len(b) > 0 {
		if c.left > 0 {
			skip := min(c.left, uint64(len(b)))
			c.left -= skip
			b = b[skip:]
			continue
		}
		c.head, b = append(c.head, b[0]), b[1:]
		size, whole := frameSize(c.head)
		if !whole {
			continue
		}
		if !c.begin(c.head[0], size) {
			return false
		}
		c.head = c.head[:0]
	}
	return true
}

// begin notes a frame by its first byte, which says what it is.
func (c *meteredConn) begin(first byte, size uint64) bool {
	const opcode, continuation, control = 0xf, 0x0, 0x8
	c.left = size
	if first&control != 0 {
		return size <= 125
	}
	if first&opcode != continuation {
		c.message = 0
	}
	c.message += min(size, maxRequest+1)
	return c.message <= maxRequest
}

// frameSize reads the length of a frame's payload off its head, if that is whole.
func frameSize(head []byte) (size uint64, whole bool) {
	if len(head) < 2 {
		return 0, false
	}
	length := 2
	if head[1]&0x80 != 0 {
		length += 4 // the mask
	}
	size = uint64(head[1] & 0x7f)
	switch size {
	case 126:
		length += 2
	case 127:
		length += 8
	}
	if len(head) < length {
		return 0, false
	}
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		size = binary.BigEndian.Uint64(head[2:])
	}
	return size, true
}
