package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/earshot-audio/earshot/discovery/dht"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// A host that takes part in the table and in nothing else, so that no word of a
// room comes by it.
func startTable(t *testing.T) host.Host {
	h := newTestHost(t)
	table := dht.New(dht.Config{Host: h})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- table.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestRoomIsJoinedByItsIDAlone(t *testing.T) {
	table := startTable(t)
	ana, ben := start(t, "ana"), start(t, "ben")
	<-ana.Ready()
	<-ben.Ready()
	for _, r := range []*running{ana, ben} {
		if err := r.host.Connect(t.Context(), *host.InfoFromHost(table)); err != nil {
			t.Fatal(err)
		}
	}
	opened := ana.open(t.Context(), "Tea", "open").Room
	if ben.sees(opened)() {
		t.Fatal("it came by another way")
	}
	begun := time.Now()
	c, err := ben.join(t.Context(), opened)
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.room.View(t.Context())
	if err != nil || v.Genesis == nil || v.Genesis.Title != "Tea" {
		t.Fatalf("joined %+v, %v", v, err)
	}
	t.Logf("joined by its ID alone in %v", time.Since(begun))
}

func TestUnknownRoomIsLookedForABit(t *testing.T) {
	t.Parallel()
	hub := start(t, "hub")
	ana := start(t, "ana", hub)
	<-ana.Ready()
	begun := time.Now()
	_, err := ana.join(t.Context(), protocol.RoomID{1, 2, 3}.String())
	var p *protocol.Problem
	if !errors.As(err, &p) || p.Code != protocol.CodeUnknownRoom {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < locatePatience || took > 3*locatePatience {
		t.Fatalf("looked for during %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err = ana.join(ctx, protocol.RoomID{1, 2, 3}.String()); err == nil || ana.room(protocol.RoomID{1, 2, 3}) != nil {
		t.Fatalf("entered what nobody knows: %v", err)
	}
}

func TestUnlistedRoomIsNotLocated(t *testing.T) {
	t.Parallel()
	hub := start(t, "hub")
	ana := start(t, "ana", hub)
	<-ana.Ready()
	secret, err := ana.Open(t.Context(), web.OpenRequest{Title: "Plans", Stage: "open", Unlisted: true})
	if err != nil {
		t.Fatal(err)
	}
	hidden, listed := secret.Room, ana.open(t.Context(), "Tea", "open").Room
	at := time.Now().Add(time.Hour)
	coming, err := ana.Open(t.Context(), web.OpenRequest{Title: "Supper", At: &at})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		room string
		want bool
	}{{listed, true}, {coming.Room, true}, {hidden, false}} {
		id, err := protocol.ParseRoomID(c.room)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hub.locate(t.Context(), id, errors.New("not found")); (err == nil) != c.want {
			t.Fatalf("located %v, should be %v", err == nil, c.want)
		}
	}
}
