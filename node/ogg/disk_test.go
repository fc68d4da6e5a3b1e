package ogg

import (
	"errors"
	"io"
	"os"
	"testing"
)

// disk is a file on a disk that is soon full.
type disk struct {
	*os.File
	room int
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(b []byte) (int, error) {
	n, _ := d.File.Write(b[:min(len(b), d.room)])
	if d.room -= n; n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestDiskFull(t *testing.T) {
	for room := 8500; room < 20000; room += 777 {
		f := file(t)
		d := &disk{File: f, room: room}
		w := NewWriter(d, Options{At: d})
		var err error
		i := 0
		for ; err == nil; i++ {
			err = w.Packet(1, "a", "Ana", uint32(i*960), celt(80, byte(i)))
		}
		if !errors.Is(err, errFull) {
			t.Fatal(err)
		}
		if again := w.Packet(1, "a", "Ana", 1<<20, celt(1)); !errors.Is(again, errFull) {
			t.Errorf("then %v", again)
		}
		if err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("Close: %v", err)
		}
		streams, _ := demux(t, content(t, f))
		if n := len(streams[0].packets); n < i-20 || n > i {
			t.Errorf("%d packets left of %d", n, i)
		}
		f.Close()
	}
}

func TestShortWrite(t *testing.T) {
	w := NewWriter(short{}, Options{})
	if err := w.Packet(1, "a", "Ana", 0, celt(1)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
}

type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) - 1, nil }
