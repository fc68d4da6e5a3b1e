package web

import "net/http"

// switchOff cuts off the node that carries the sound, in a demo alone: other
// nodes answer as if there were no such path.
func (s *Server) switchOff(w http.ResponseWriter, _ *http.Request) error {
	if s.cut == nil {
		return refuse(http.StatusNotFound, "this node is in no demo", "see: earshot demo --help")
	}
	if !s.cut() {
		return refuse(http.StatusConflict, "nobody can be switched off just now", "try again in a few seconds")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
