package shapes

import (
	"fmt"
	"io"
)

// MaxMessage is the size in bytes of the largest single message a Scanner
// takes from a stream.
const MaxMessage = 64 << 20

// Scanner finds the messages of a shape answer, a JSON array of objects, as
// the body arrives. It follows strings and brackets but decodes no value, so
// rows pass through it byte for byte: so does a value that no JSON parser would
// take, such as 01 or a string with a line break. Its memory is one message, at least
// 16 KiB, and 32 of a body that is larger. It belongs to one goroutine.
type Scanner struct {
	src   io.Reader
	buf   []byte
	start int // first byte of buf not yet given out
	pos   int // next byte to look at
	max   int
	state scanState
	known knownHeaders
	err   error
}

var _ Messages = (*Scanner)(nil)

type scanState uint8

const (
	beforeArray scanState = iota
	afterOpen
	afterMessage
)

// NewScanner scans what r yields. A single message larger than MaxMessage is
// an error.
func NewScanner(r io.Reader) *Scanner { return &Scanner{src: r, max: MaxMessage} }

// NewBytesScanner scans a whole body without copying it: the messages point
// into body.
func NewBytesScanner(body []byte) *Scanner {
	return &Scanner{src: eof{}, buf: body, max: len(body)}
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Next gives the next message, whose Raw is valid until the next call. After
// the last it gives io.EOF, and goes on doing so. An empty body has no
// messages. Errors wrap ErrMalformed, or are the reader's own;
// io.ErrUnexpectedEOF says that the body broke off.
func (s *Scanner) Next() (Message, error) {
	if s.err != nil {
		return Message{}, s.err
	}
	m, err := s.next()
	s.err = err
	return m, err
}

func (s *Scanner) next() (Message, error) {
	c, err := s.token()
	if err != nil {
		if err == io.EOF && s.state != beforeArray {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	if s.state == beforeArray {
		if c != '[' {
			return Message{}, malformed("the body begins with %q and not with an array", c)
		}
		if c, err = s.inside(); err != nil {
			return Message{}, err
		}
		s.state = afterOpen
	} else if c == ',' {
		if c, err = s.inside(); err != nil {
			return Message{}, err
		}
		if c == ']' {
			return Message{}, malformed("a comma before the end of the array")
		}
	} else if c != ']' {
		return Message{}, malformed("%q between two messages", c)
	}
	switch c {
	case ']':
		return Message{}, s.finish()
	case '{':
		s.state = afterMessage
		return s.message()
	default:
		return Message{}, malformed("%q where a message should begin", c)
	}
}

// inside is token where the end of the body is too early.
func (s *Scanner) inside() (byte, error) {
	c, err := s.token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return c, err
}

// finish sees to it that nothing but white space follows the array.
func (s *Scanner) finish() error {
	c, err := s.token()
	if err == nil {
		return malformed("%q after the end of the array", c)
	}
	return err
}

// token consumes white space and one byte, and gives that byte.
func (s *Scanner) token() (byte, error) {
	for {
		for s.pos < len(s.buf) {
			c := s.buf[s.pos]
			s.pos++
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				s.start = s.pos - 1
				return c, nil
			}
		}
		s.start = s.pos
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// message gives the object whose opening brace token has just consumed.
func (s *Scanner) message() (Message, error) {
	f := framer{depth: 1, kinds: 1}
	for {
		n, done, err := f.feed(s.buf[s.start:], s.pos-s.start)
		s.pos = s.start + n
		if err != nil {
			return Message{}, err
		}
		if done {
			raw := s.buf[s.start:s.pos]
			s.start = s.pos
			return s.known.parse(raw, f.nested[:f.met])
		}
		if err := s.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return Message{}, err
		}
	}
}

// A scanner begins with a small buffer, since most bodies are small, and reads those that
// are not in larger pieces: each costs a call of the system, and a timer.
const (
	leastBuffer  = 16 << 10
	streamBuffer = 32 << 10
)

// fill reads more, keeping what lies behind start. It moves the buffer's
// content to its front, or doubles it when one message fills it.
func (s *Scanner) fill() error {
	if _, whole := s.src.(eof); whole {
		return io.EOF
	}
	if len(s.buf) == cap(s.buf) {
		kept := len(s.buf) - s.start
		if kept >= s.max {
			return malformed("a message is larger than %d bytes", s.max)
		}
		to := s.buf[:0]
		if kept > cap(s.buf)/2 || cap(s.buf) < streamBuffer {
			to = make([]byte, 0, max(leastBuffer, 2*cap(s.buf)))
		}
		s.buf = append(to, s.buf[s.start:]...)
		s.pos -= s.start
		s.start = 0
	}
	for range 100 {
		n, err := s.src.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if n > 0 {
			return nil // an error comes again with the next Read
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
