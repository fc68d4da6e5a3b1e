package web

import (
	"bytes"
	"fmt"
	"net/http"

	"rsc.io/qr"

	"github.com/earshot-audio/earshot/node/server"
)

// qrQuiet is the light margin that a QR code needs, in modules (ISO/IEC 18004
// section 6.3.8).
const qrQuiet = 4

// qr draws a room's link, or its guests', for a telephone's camera.
func (s *Server) qr(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	view, err := s.backend.Room(r.Context(), room)
	if err != nil {
		return err
	}
	link := view.Link
	if of := r.URL.Query().Get("link"); of != "" {
		if link = view.GuestLink; of != "guest" || link == "" {
			return refuse(http.StatusNotFound, "the room has no such link now", "guest: while a guest door is open; without a query, the room's own")
		}
	}
	code, err := qr.Encode(link, qr.L)
	if err != nil {
		return fmt.Errorf("draw the link of %d bytes: %w", len(link), err)
	}
	w.Header().Set("Content-Type", server.TypeSVG)
	w.Write(drawn(code)) // an error means that nobody waits for it
	return nil
}

// drawn gives a QR code as SVG: dark on light in any theme, as cameras want it,
// a stroke for each run of dark modules.
func drawn(code *qr.Code) []byte {
	var b bytes.Buffer
	side := code.Size + 2*qrQuiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges">`, side)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%[1]dH0z"/><path stroke="#000" d="`, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %d.5h%d", from+qrQuiet, y+qrQuiet, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}
