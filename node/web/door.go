package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	maxKeys = 16               // one-use keys that wait to be used
	keyLife = 10 * time.Minute // of a one-use key
)

// door lets the page in: a one-use key is traded for a cookie that lives until
// the browser ends, so that a page comes back by itself when its node does. The
// API's token never reaches a browser.
type door struct {
	cookie string // its name: it carries the port, as cookies don't tell ports apart
	secret string // its value

	mu   sync.Mutex
	keys []key // oldest first
}

// key is a one-use key as it is remembered: by its hash, so that looking it up
// tells nothing by its time.
type key struct {
	sum    [sha256.Size]byte
	issued time.Time
}

// newDoor makes the door of a node at addr. The cookie's value follows from the
// API's token, which outlives a run, and tells nothing of it; without a token it
// is new at each start.
func newDoor(addr net.Addr, token string) *door {
	d := &door{cookie: "earshot", secret: rand.Text()}
	if tcp, ok := addr.(*net.TCPAddr); ok {
		d.cookie += "-" + strconv.Itoa(tcp.Port)
	}
	if token != "" {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("page " + d.cookie))
		d.secret = hex.EncodeToString(mac.Sum(nil))
	}
	return d
}

// issue makes a one-use key.
func (d *door) issue(now time.Time) string {
	word := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = append(d.keys, key{sha256.Sum256([]byte(word)), now})
	if len(d.keys) > maxKeys {
		d.keys = d.keys[1:]
	}
	return word
}

// take uses a key up; false if there is none, or no longer.
func (d *door) take(word string, now time.Time) bool {
	sum := sha256.Sum256([]byte(word))
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, k := range d.keys {
		if k.sum == sum {
			d.keys = append(d.keys[:i:i], d.keys[i+1:]...)
			return now.Sub(k.issued) < keyLife
		}
	}
	return false
}

// admit gives the browser the page's cookie.
func (d *door) admit(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookie, Value: d.secret, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// knows says whether the request carries the page's cookie.
func (d *door) knows(r *http.Request) bool {
	c, err := r.Cookie(d.cookie)
	return err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(d.secret)) == 1
}
