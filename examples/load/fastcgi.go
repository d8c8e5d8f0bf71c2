package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
)

// The types of FastCGI records, and what else of the protocol is used here.
const (
	fcgiBegin  = 1
	fcgiEnd    = 3
	fcgiParams = 4
	fcgiStdin  = 5
	fcgiStdout = 6

	fcgiVersion   = 1
	fcgiRequest   = 1 // the id of the one request of a connection
	fcgiResponder = 1 // the role
	fcgiKeep      = 1 // the flag: the connection outlives the request
)

// errFastCGI is an answer that cannot be parsed.
var errFastCGI = errors.New("malformed FastCGI answer")

// record is one FastCGI record; content is shorter than 64 KiB.
func record(kind byte, content []byte) []byte {
	b := []byte{fcgiVersion, kind, 0, fcgiRequest}
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)))
	return append(append(b, 0, 0), content...)
}

// param is one name and value, each shorter than 128 bytes.
func param(name, value string) string {
	return string([]byte{byte(len(name)), byte(len(value))}) + name + value
}

// askFastCGI sends a request for a path.
func (w *worker) askFastCGI(path string) error {
	flags := byte(0)
	if w.kind == KeepAlive {
		flags = fcgiKeep
	}
	_, query, _ := strings.Cut(path, "?")
	params := param("REQUEST_METHOD", http.MethodGet) + param("SERVER_PROTOCOL", "HTTP/1.1") +
		param("SCRIPT_FILENAME", w.cfg.Script) + param("REQUEST_URI", path) + param("QUERY_STRING", query)

	var b bytes.Buffer
	b.Write(record(fcgiBegin, []byte{0, fcgiResponder, flags, 0, 0, 0, 0, 0}))
	b.Write(record(fcgiParams, []byte(params)))
	b.Write(record(fcgiParams, nil))
	b.Write(record(fcgiStdin, nil))
	_, err := w.conn.Write(b.Bytes())
	return err
}

// fastCGIAnswer reads one whole answer.
func (w *worker) fastCGIAnswer() (string, error) {
	var out bytes.Buffer
	for {
		var head [8]byte
		if _, err := io.ReadFull(w.reader, head[:]); err != nil {
			return "", err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(head[4:]))+int(head[6])) // with its padding
		if _, err := io.ReadFull(w.reader, content); err != nil {
			return "", err
		}
		switch head[1] {
		case fcgiStdout:
			out.Write(content[:len(content)-int(head[6])])
		case fcgiEnd:
			return cgiBody(&out)
		}
	}
}

// cgiBody is the body of what a CGI program wrote: headers, among them perhaps
// Status, a blank line and the body.
func cgiBody(out io.Reader) (string, error) {
	r := bufio.NewReader(out)
	header, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errFastCGI, err)
	}
	text, err := io.ReadAll(r)
	body := strings.TrimSpace(string(text))
	if status := header.Get("Status"); err == nil && status != "" && !strings.HasPrefix(status, "200") {
		err = fmt.Errorf("%w %s", errStatus, status)
	}
	return body, err
}
