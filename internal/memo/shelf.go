package memo

import (
	"container/list"
	"time"
)

// shelf holds a bounded number of answers, in the order of their last use.
type shelf[K comparable, V any] struct {
	most  int
	index map[K]*list.Element
	used  *list.List // of *answer[K, V]; the latest is in front
}

type answer[K comparable, V any] struct {
	key   K
	value V
	err   error
	until time.Time // from this moment on it is no longer good
}

func newShelf[K comparable, V any](most int) *shelf[K, V] {
	return &shelf[K, V]{most: most, index: map[K]*list.Element{}, used: list.New()}
}

// get gives the answer for the key, or nil if there is none that is still good.
func (s *shelf[K, V]) get(key K, now time.Time) *answer[K, V] {
	element, ok := s.index[key]
	if !ok {
		return nil
	}
	a := element.Value.(*answer[K, V])
	if !now.Before(a.until) {
		s.drop(element)
		return nil
	}
	s.used.MoveToFront(element)
	return a
}

func (s *shelf[K, V]) put(a *answer[K, V]) {
	if element, ok := s.index[a.key]; ok {
		s.drop(element)
	}
	s.index[a.key] = s.used.PushFront(a)
	if s.used.Len() > s.most {
		s.drop(s.used.Back())
	}
}

func (s *shelf[K, V]) drop(element *list.Element) {
	delete(s.index, element.Value.(*answer[K, V]).key)
	s.used.Remove(element)
}

func (s *shelf[K, V]) len() int { return s.used.Len() }
