package web

import "net/http"

// Routes gives every route as "METHOD /path".
func (s *Server) Routes() []string {
	var all []string
	for _, rt := range s.routes() {
		all = append(all, rt.method+" "+rt.path)
	}
	return all
}

// Handler is the way of every request.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }
