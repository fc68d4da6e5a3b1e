package guest

import (
	"encoding/json"
	"net/http"
)

const maxReportBytes = 2048 // of a request: the reason has 300, which JSON may write as six times that

// Report tells of somebody.
type Report struct {
	Who string `json:"who"` // as Speaker and Line name them
	Why string `json:"why"` // the guest's own words; "": not said
}

// Told says how many of those who moderate have a report, and how many have it once
// they come.
type Told struct {
	Told    int `json:"told"`
	Waiting int `json:"waiting"`
}

// report has the door's node tell who moderates the room what a guest says of somebody.
// It is the node's word for it: of a guest who has said who they are.
func (d *Door) report(w http.ResponseWriter, r *http.Request) error {
	s, err := d.sitting(r)
	if err != nil {
		return err
	}
	text, err := whole(w, r, maxReportBytes)
	if err != nil {
		return err
	}
	var report Report
	if json.Unmarshal(text, &report) != nil || report.Who == "" {
		return refuse(http.StatusBadRequest, codeRequest, "the report is malformed")
	}
	by := d.guests.who(s)
	switch {
	case by == "":
		return errNameless
	case !d.census.report(s.From):
		return errTooFast
	}
	told, err := d.cfg.Backend.Report(r.Context(), s.Room, by, report)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, told)
}
