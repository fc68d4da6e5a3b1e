package web

// Routes gives every route as "METHOD /path".
func (s *Server) Routes() []string {
	var all []string
	for _, rt := range s.routes() {
		all = append(all, rt.method+" "+rt.path)
	}
	return all
}
