package web

import (
	"context"
	"net/http"
	"time"
)

// Reach is how others come to this node, as far as that is known. What is not
// is "" or "unknown".
type Reach struct {
	Reach     string   `json:"reach"`     // public, mapped, private or unknown
	Confirmed bool     `json:"confirmed"` // somebody has tried; else it is concluded from this machine's addresses
	NAT       string   `json:"nat"`       // none, endpoint-independent, dependent (RFC 4787 section 4.1) or unknown
	UDP       string   `json:"udp"`       // works, blocked or unknown
	IPv4      string   `json:"ipv4"`      // what address this machine has: none, private or public
	IPv6      string   `json:"ipv6"`
	Addresses []string `json:"addresses"` // multiaddresses where somebody has reached it
	Seen      []string `json:"seen"`      // IP:PORT that others see its port for sound at
	Mapped    []string `json:"mapped"`    // IP:PORT where the router lets sound in
	Circuits  []string `json:"circuits"`  // peer IDs of those through whom it can be reached
	Serves    Serves   `json:"serves"`
}

// Serves is what this node passes on for those whose routers keep others out
// (circuits: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md).
type Serves struct {
	Policy       string `json:"policy"`       // all, rooms or off
	Running      bool   `json:"running"`      // it can be reached, so it may be asked
	Reservations int    `json:"reservations"` // nodes that may be reached through this one
	Circuits     int    `json:"circuits"`     // connections passed on now
	Refused      uint64 `json:"refused"`      // since the start
	Bytes        uint64 `json:"bytes"`        // since the start
}

// Diagnosis is what an examination found.
type Diagnosis struct {
	Headline string    `json:"headline"` // in a person's words
	OK       bool      `json:"ok"`       // nothing is wrong that somebody could mend
	Findings []Finding `json:"findings"`
	Reach    Reach     `json:"reach"`
	Seconds  float64   `json:"seconds"` // it took
}

// Finding is one thing that was tried, and what came of it.
type Finding struct {
	Code   string `json:"code"` // never changes its meaning
	OK     bool   `json:"ok"`
	Says   string `json:"says"`   // one sentence in a person's words
	Do     string `json:"do"`     // the one thing to do; "": nothing
	Detail string `json:"detail"` // for those who know their network; may be ""
}

// MeetRequest names one way to meet others.
type MeetRequest struct {
	Link    string `json:"link,omitempty"`    // to a room: those in it
	Address string `json:"address,omitempty"` // a multiaddress with /p2p/
	Local   bool   `json:"local,omitempty"`   // on the local network
	// Public asks libp2p's public DHT, which others run and can watch. The
	// caller has told the person so, and the person has said yes.
	Public bool `json:"public,omitempty"`
}

// ways counts the ways that a request names.
func (r MeetRequest) ways() (n int) {
	for _, named := range []bool{r.Link != "", r.Address != "", r.Local, r.Public} {
		if named {
			n++
		}
	}
	return n
}

// Met is what came of looking for others.
type Met struct {
	Found     int      `json:"found"`     // nodes that were reached in this way
	Peers     []string `json:"peers"`     // their peer IDs
	Neighbors int      `json:"neighbors"` // nodes connected now
	Room      string   `json:"room"`      // that the link is to; "": none
}

func (s *Server) doctor(w http.ResponseWriter, r *http.Request) error {
	of := r.URL.Query().Get("of")
	if !sane(of) {
		return malformed("this names nothing that can be examined", "give a room, a person's ID or an address", nil)
	}
	diagnosis, err := s.backend.Doctor(r.Context(), of)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, diagnosis.whole())
}

func (s *Server) meet(w http.ResponseWriter, r *http.Request) error {
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	request, err := readMeetRequest(text)
	if err != nil {
		return err
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(searchPatience + writePatience))
	ctx, cancel := context.WithTimeout(r.Context(), searchPatience)
	defer cancel()
	met, err := s.backend.Meet(ctx, request)
	if err != nil {
		return err
	}
	met.Peers = list(met.Peers)
	return answer(w, http.StatusOK, met)
}

// readMeetRequest reads a request that names one way.
func readMeetRequest(text []byte) (r MeetRequest, err error) {
	if err = decode(text, &r); err == nil && (r.ways() != 1 || !sane(r.Link) || !sane(r.Address)) {
		err = malformed("this names no way to meet others, or several", "give one of link, address, local and public", nil)
	}
	return r, err
}
