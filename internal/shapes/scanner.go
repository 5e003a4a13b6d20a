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
// 16 KiB, and 32 of a body that is larger, or 128 of one that is large. It belongs to one
// goroutine.
type Scanner struct {
	src   io.Reader
	buf   []byte
	start int // first byte of buf not yet given out
	pos   int // next byte to look at
	max   int
	taken int // bytes that left the buffer
	state scanState
	known knownHeaders
	open  bool    // a message was begun, at start
	frame framer  // of that
	ahead Message // the one behind what was given out, if it was met already
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

// Next gives the next message. While it is less than enough bytes, the changes that stand
// right behind it and have the same headers, as nearly all of a snapshot have, come with
// it, as far as they are there already. Raw is valid until the next call.
// After the last message it gives io.EOF, and goes on doing so. An empty body has no
// messages. Errors wrap ErrMalformed, or are the reader's own;
// io.ErrUnexpectedEOF says that the body broke off.
func (s *Scanner) Next(enough int) (Message, error) {
	if s.err != nil {
		return Message{}, s.err
	}
	m := s.ahead
	if s.ahead.Count > 0 {
		s.ahead = Message{}
	} else if m, s.err = s.one(); s.err != nil {
		return Message{}, s.err
	}
	s.follow(&m, enough)
	return m, nil
}

// one gives the next message, which is waited for.
func (s *Scanner) one() (Message, error) {
	if !s.open {
		if err := s.begin(); err != nil {
			return Message{}, err
		}
	}
	for {
		m, _, done, err := s.message()
		if done || err != nil {
			return m, err
		}
		if err := s.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return Message{}, err
		}
	}
}

// follow adds to a message those that stand right behind it and are like it, as far as
// they are in the buffer. It meets the first that is not, and what is wrong there comes
// with the next call.
func (s *Scanner) follow(m *Message, enough int) {
	if m.Kind != Change || m.cutTo > 0 {
		return
	}
	from := s.start - len(m.Raw)
	for s.start-from < enough && s.pos+1 < len(s.buf) && s.buf[s.pos] == ',' && s.buf[s.pos+1] == '{' {
		s.openAt(s.pos + 1)
		next, like, done, err := s.message()
		switch {
		case err != nil:
			s.err = err
			return
		case !done:
			return
		case !like:
			s.ahead = next
			return
		}
		m.Raw = s.buf[from:s.start]
		m.Count++
	}
}

// begin goes on to where the next message begins.
func (s *Scanner) begin() error {
	c, err := s.token()
	if err != nil {
		if err == io.EOF && s.state != beforeArray {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if s.state == beforeArray {
		if c != '[' {
			return malformed("the body begins with %q and not with an array", c)
		}
		if c, err = s.inside(); err != nil {
			return err
		}
		s.state = afterOpen
	} else if c == ',' {
		if c, err = s.inside(); err != nil {
			return err
		}
		if c == ']' {
			return malformed("a comma before the end of the array")
		}
	} else if c != ']' {
		return malformed("%q between two messages", c)
	}
	switch c {
	case ']':
		return s.finish()
	case '{':
		s.state = afterMessage
		s.openAt(s.start)
		return nil
	default:
		return malformed("%q where a message should begin", c)
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

// openAt begins a message with the brace that stands at i.
func (s *Scanner) openAt(i int) {
	s.start, s.pos, s.open = i, i+1, true
	s.frame = framer{depth: 1, kinds: 1}
}

// message looks for the end of the message that is open, in the buffer. Where it is, it
// gives the message, and whether its headers are those of the one before.
func (s *Scanner) message() (m Message, like, done bool, err error) {
	n, done, err := s.frame.feed(s.buf[s.start:], s.pos-s.start)
	s.pos = s.start + n
	if err != nil || !done {
		return Message{}, false, false, err
	}
	raw := s.buf[s.start:s.pos]
	s.start, s.open = s.pos, false
	m, like, err = s.known.parse(raw, s.frame.nested[:s.frame.met])
	return m, like, err == nil, err
}

// A scanner begins with a small buffer, since most bodies are small, and reads those that
// are not in larger pieces: each costs a call of the system, and a timer, and is
// written on at once, which costs two.
const (
	leastBuffer  = 16 << 10
	streamBuffer = 32 << 10
	largeBuffer  = 112 << 10
	large        = 256 << 10 // a body
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
		s.taken += s.start
		to := s.buf[:0]
		switch size := cap(s.buf); {
		case s.taken > large && size < largeBuffer && kept <= largeBuffer/2:
			to = make([]byte, 0, largeBuffer)
		case kept > size/2 || size < streamBuffer:
			to = make([]byte, 0, max(leastBuffer, 2*size))
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
