package rule

import (
	"container/list"
	"sync"
)

// lru is a bounded map that forgets what was not asked for the longest. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	mu      sync.Mutex
	size    int
	order   *list.List // of entry[K, V], the latest in front
	entries map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](size int) *lru[K, V] {
	return &lru[K, V]{size: size, order: list.New(), entries: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	element, ok := c.entries[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(element)
	return element.Value.(entry[K, V]).value, true
}

// put keeps the value that is there already: two that compile the same rule at once end up with one program.
func (c *lru[K, V]) put(key K, value V) V {
	c.mu.Lock()
	defer c.mu.Unlock()

	if element, ok := c.entries[key]; ok {
		return element.Value.(entry[K, V]).value
	}
	c.entries[key] = c.order.PushFront(entry[K, V]{key, value})
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.entries, oldest.Value.(entry[K, V]).key)
	}
	return value
}
