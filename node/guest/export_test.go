package guest

import "net/http"

// Handler gives the way of every request.
func (d *Door) Handler() http.Handler { return http.HandlerFunc(d.serve) }
