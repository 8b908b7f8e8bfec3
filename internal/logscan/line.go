package logscan

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
)

// line is a line as it was read: the beginning of it, at most maxLine bytes, and how long all of it is with its end.
type line struct {
	text []byte // until the next line is read
	size int64
}

// lineReader reads lines of any length in bounded memory.
type lineReader struct {
	r    *bufio.Reader
	kept []byte
	left int64 // bytes that may still be read
}

// errEnough ends a reading that would go on for too long: a line without end, or too much that was counted before.
var errEnough = errors.New("more than is read at once")

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, maxLine), left: maxRead}
}

// next returns the next line that has its end. With an error it returns what stands behind the last one.
func (l *lineReader) next() (line, error) {
	l.kept = l.kept[:0]
	var size int64
	for {
		part, err := l.r.ReadSlice('\n')
		size += int64(len(part))
		l.kept = append(l.kept, part[:min(len(part), maxLine-len(l.kept))]...)
		l.left -= int64(len(part))
		if errors.Is(err, bufio.ErrBufferFull) {
			if l.left > 0 {
				continue
			}
			err = errEnough
		}
		return line{text: bytes.TrimRight(l.kept, "\r\n"), size: size}, err
	}
}

// stamp takes the time from before a line. It is zero where there is none, and the line is as it was.
func stamp(text []byte) (time.Time, []byte) {
	const shortest, longest = len("2006-01-02T15:04:05Z"), len(time.RFC3339Nano)
	first, _, _ := bytes.Cut(text[:min(len(text), longest+1)], []byte(" "))
	if len(first) < shortest || len(first) > longest || first[10] != 'T' {
		return time.Time{}, text
	}
	at, err := time.Parse(time.RFC3339Nano, string(first))
	if err != nil {
		return time.Time{}, text
	}
	return at, bytes.TrimPrefix(text[len(first):], []byte(" "))
}
