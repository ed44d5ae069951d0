package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"gatecamp/internal/problem"
)

// fileMode lets a group read, as agents that ship logs do.
const fileMode = 0o640

// stream is a writer of lines to something that cannot be opened anew.
type stream struct {
	encoder
	to   io.Writer
	torn bool // the last line was cut off
}

func (s *stream) reopen() error               { return nil }
func (s *stream) patience() int               { return 0 }
func (s *stream) close(context.Context) error { return nil }
func (s *stream) cure() string                { return "see who reads the program's standard output" }

// write writes whole lines. Of a line that was cut off the rest is never written: the next line begins anew, on a line of its own.
func (s *stream) write(_ context.Context, batch []Told) (int, error) {
	var b bytes.Buffer
	ends := make([]int, len(batch))
	if s.torn {
		b.WriteByte('\n')
	}
	for i := range batch {
		s.append(&b, &batch[i])
		ends[i] = b.Len()
	}
	n, err := s.to.Write(b.Bytes())
	if err == nil {
		s.torn = false
		return len(batch), nil
	}
	whole := 0
	for whole < len(ends) && ends[whole] <= n {
		whole++
	}
	if n > 0 {
		s.torn = whole == 0 || ends[whole-1] < n
	}
	return whole, err
}

// file is a writer of lines to a file that others may move away.
type file struct {
	stream
	path string
	f    *os.File
}

func openFile(enc encoder, path string) (*file, error) {
	w := &file{stream: stream{encoder: enc}, path: path}
	if err := w.reopen(); err != nil {
		return nil, problem.New(problem.Usage, "the file for events cannot be written: "+err.Error(), "let this user write it and its folder, or set GATECAMP_EVENTS to another file or to stdout").Because(err)
	}
	return w, nil
}

func (w *file) cure() string {
	return "make room on the disk, and let this user write the file and its folder; nothing needs to be started again"
}

// reopen opens the path anew. The old file is closed only when the new one is there.
func (w *file) reopen() error {
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	if w.f != nil {
		err = w.f.Close()
	}
	w.f, w.to, w.torn = f, f, torn(f)
	return err
}

// torn reports whether a file ends within a line, as it does where a full disk or a crash cut one off.
func torn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	r, err := os.Open(f.Name())
	if err != nil {
		return false // not ours to read; the worst is a blank line
	}
	defer func() { _ = r.Close() }()
	var last [1]byte
	_, err = r.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// moved reports whether the path is another file by now, or none.
func (w *file) moved() bool {
	ours, err := w.f.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(w.path)
	return errors.Is(err, fs.ErrNotExist) || (err == nil && !os.SameFile(ours, there))
}

func (w *file) write(ctx context.Context, batch []Told) (int, error) {
	if w.moved() {
		if err := w.reopen(); err != nil {
			return 0, err
		}
	}
	return w.stream.write(ctx, batch)
}

func (w *file) close(context.Context) error { return w.f.Close() }
