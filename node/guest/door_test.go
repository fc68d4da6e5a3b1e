package guest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/protocol"
)

// code gives the code of a refusal.
func code(t testing.TB, r *http.Response) string {
	t.Helper()
	var f guest.Failure
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil || f.Event != "error" || f.Message == "" {
		t.Errorf("%s: told %+v, %v", r.Request.URL, f, err)
	}
	return f.Code
}

func TestFiftyGuestsAndOneMore(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	for n := range guest.MaxGuests {
		if r := offer(t, d, from(t, n/4)); r.StatusCode != http.StatusCreated {
			t.Fatalf("guest %d: %s %s", n+1, r.Status, code(t, r))
		}
	}
	last := from(t, 200)
	r := offer(t, d, last)
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || code(t, r) != protocol.CodeFullRoom {
		t.Errorf("the 51st was answered %s", r.Status)
	}
	if got := d.Count(sky); got != guest.MaxGuests || b.playing() != got {
		t.Errorf("%d guests, %d play", got, b.playing())
	}
	if r := send(t, d, from(t, 0), "DELETE", "/api/sessions/session-1", nil, ""); r.StatusCode != http.StatusOK {
		t.Errorf("leaving: %s", r.Status)
	}
	if r := offer(t, d, last); r.StatusCode != http.StatusCreated {
		t.Errorf("with a place free: %s", r.Status)
	}
}

func TestHousehold(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	home := from(t, 1)
	for range 4 {
		if r := offer(t, d, home); r.StatusCode != http.StatusCreated {
			t.Fatal(r.Status)
		}
	}
	if r := offer(t, d, home); r.StatusCode != http.StatusTooManyRequests || code(t, r) != "household" {
		t.Errorf("the fifth of a household: %s", r.Status)
	}
	if r := offer(t, d, from(t, 2)); r.StatusCode != http.StatusCreated {
		t.Errorf("another household: %s", r.Status)
	}
	var last string
	for range 8 {
		last = code(t, offer(t, d, home))
	}
	if last != "rate" {
		t.Errorf("offer upon offer is answered %s", last)
	}
}

func TestShutAndOpen(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	client := from(t, 1)
	offer(t, d, client)
	d.Shut()
	if b.playing() != 0 || d.Count(sky) != 0 || d.IsOpen() {
		t.Error("a shut door has guests")
	}
	for _, r := range []*http.Response{offer(t, d, client), send(t, d, client, "GET", "/api/rooms/"+sky.String(), nil, ""),
		send(t, d, client, "GET", "/api/rooms/"+sky.String()+"/events", nil, "")} {
		if r.StatusCode != http.StatusServiceUnavailable || code(t, r) != "door_shut" {
			t.Errorf("%s at a shut door: %s", r.Request.URL.Path, r.Status)
		}
	}
	if r := send(t, d, client, "GET", "/r", nil, ""); r.StatusCode != http.StatusOK {
		t.Errorf("the page that says so: %s", r.Status)
	}
	d.Open()
	if r := offer(t, d, client); r.StatusCode != http.StatusCreated {
		t.Errorf("open again: %s", r.Status)
	}
}

func TestRemove(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	client := from(t, 1)
	offer(t, d, client)
	all := d.Guests()
	if len(all) != 1 || all[0].Room != sky || all[0].From.String() != "127.0.0.2" || all[0].Since.IsZero() {
		t.Fatalf("%+v", all)
	}
	if d.Remove("nobody") || !d.Remove(all[0].ID) || b.playing() != 0 {
		t.Error("another was removed, or nobody")
	}
	if r := offer(t, d, client); r.StatusCode != http.StatusForbidden || code(t, r) != "removed" {
		t.Errorf("one who was removed: %s", r.Status)
	}
	if r := offer(t, d, from(t, 2)); r.StatusCode != http.StatusCreated {
		t.Errorf("another: %s", r.Status)
	}
	d.Open()
	if r := offer(t, d, client); r.StatusCode != http.StatusCreated {
		t.Errorf("forgiven: %s", r.Status)
	}
}

func TestRefusedSeatsComeBack(t *testing.T) {
	b := newBackend()
	d := run(t, b, func(c *guest.Config) { c.Max = 1 })
	b.fault = &protocol.Problem{Code: protocol.CodeFullRoom, Message: "no upload is left"}
	if r := offer(t, d, from(t, 1)); r.StatusCode != http.StatusServiceUnavailable || code(t, r) != protocol.CodeFullRoom {
		t.Errorf("without upload: %s", r.Status)
	}
	b.fault = &protocol.Problem{Code: protocol.CodeBadRequest, Message: "the SDP offer is 12D3KooW"}
	r := offer(t, d, from(t, 1))
	if text, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusBadRequest || strings.Contains(string(text), "12D3") {
		t.Errorf("a bad offer: %s %s", r.Status, text)
	}
	b.fault = nil
	if r := offer(t, d, from(t, 1)); r.StatusCode != http.StatusCreated {
		t.Errorf("the seat did not come back: %s", r.Status)
	}
}

func TestEvents(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	r := send(t, d, from(t, 1), "GET", "/api/rooms/"+sky.String()+"/events", nil, "")
	lines := bufio.NewScanner(r.Body)
	next := func() (kind string, room guest.Room) {
		t.Helper()
		for lines.Scan() {
			if word, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = word
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &room); err != nil {
					t.Fatal(err)
				}
				return kind, room
			}
		}
		t.Fatal("the stream ended", lines.Err())
		return "", room
	}
	if kind, room := next(); kind != "room" || room.Title != "Why the sky is <dark>" || room.Guests != 0 || len(room.Stage) != 1 || room.Stage[0].Sources[0] != 7 {
		t.Fatalf("%s %+v", kind, room)
	}
	offer(t, d, from(t, 2))
	if kind, room := next(); kind != "room" || room.Guests != 1 {
		t.Errorf("a guest came: %s %+v", kind, room)
	}
	b.change(func() { b.gone = true })
	if kind, _ := next(); kind != "over" {
		t.Errorf("the room ended: %s", kind)
	}
}

func TestAddresses(t *testing.T) {
	b := newBackend()
	d := run(t, b, nil)
	if want := "http://" + d.Addr().String(); d.Address() != want {
		t.Errorf("%s, want %s", d.Address(), want)
	}
	if want := d.Address() + "/r#room/abc/def"; d.Link("earshot:room/abc/def") != want {
		t.Errorf("%s, want %s", d.Link("earshot:room/abc/def"), want)
	}
	r := offer(t, d, from(t, 1))
	if text, _ := io.ReadAll(r.Body); string(text) != "v=0 to 127.0.0.2 at 127.0.0.1" || r.Header.Get("Location") != "/api/sessions/session-1" {
		t.Errorf("%s, at %s", text, r.Header.Get("Location"))
	}
}
