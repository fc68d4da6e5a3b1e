package web_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// schema is what the test reads of a JSON schema.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
}

type description struct {
	Paths map[string]map[string]struct {
		OperationID string                     `json:"operationId"`
		Responses   map[string]json.RawMessage `json:"responses"`
	} `json:"paths"`
	Components map[string]map[string]json.RawMessage `json:"components"`
}

// describe reads the description as the node serves it.
func describe(t *testing.T, server *web.Server) (d description, schemas map[string]schema, text string) {
	t.Helper()
	response := send(t, server, "GET", "/api/v1/openapi.json", nil, "")
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	schemas = map[string]schema{}
	for name, raw := range d.Components["schemas"] {
		var s schema
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(name, err)
		}
		schemas[name] = s
	}
	return d, schemas, string(b)
}

func TestEveryRouteIsDescribed(t *testing.T) {
	server, _ := up(t, newBackend())
	d, _, text := describe(t, server)
	var described []string
	operations := map[string]string{}
	for path, methods := range d.Paths {
		for method, operation := range methods {
			route := strings.ToUpper(method) + " " + path
			described = append(described, route)
			if other, twice := operations[operation.OperationID]; twice || operation.OperationID == "" {
				t.Errorf("%s: operationId %q is that of %q too", route, operation.OperationID, other)
			}
			operations[operation.OperationID] = route
			if len(operation.Responses) < 2 {
				t.Errorf("%s: describes no success or no failure", route)
			}
		}
	}
	var served []string
	for _, route := range server.Routes() {
		served = append(served, strings.NewReplacer("{$}", "", "...}", "}").Replace(route))
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described:\n%s\nserved:\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
	for _, part := range strings.Split(text, `"$ref": "#/components/`)[1:] {
		kind, name, _ := strings.Cut(part[:strings.IndexByte(part, '"')], "/")
		if _, there := d.Components[kind][name]; !there {
			t.Errorf("a reference to %s/%s leads nowhere", kind, name)
		}
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	server, _ := up(t, newBackend())
	_, schemas, _ := describe(t, server)
	shapes := map[string]reflect.Type{}
	for _, v := range []any{
		web.Status{}, web.RoomLine{}, web.OpenRequest{}, web.Opened{}, web.RoomView{}, web.Member{}, web.LinkLine{},
		web.SourceLine{}, web.Summary{}, web.SourceSummary{}, web.SpeakSummary{}, web.Failure{}, web.Page{},
		web.RoomsChange{}, web.ListenBegin{}, web.ListenEnd{}, web.SpeakBegin{}, web.SpeakEnd{},
		web.Reach{}, web.Upload{}, web.Serves{}, web.Diagnosis{}, web.Finding{}, web.MeetRequest{}, web.Met{}, web.Key{}, web.MuteRequest{}, web.HandRequest{}, web.MemberRequest{},
		web.CloseRequest{}, web.FollowRequest{}, web.FollowedRoom{},
		web.Person{}, web.NoteRequest{}, web.Followed{}, web.Profile{}, web.ProfileRequest{},
		web.Guests{}, web.GuestLine{}, web.GuestRoom{},
		web.ReportRequest{}, web.ReportedPerson{}, web.SentReport{}, web.RoomReports{}, web.ReportLine{}, web.SpokeLine{}, web.SaidLine{}, web.ReactedLine{},
		web.Chat{}, web.ChatLine{}, web.CaptionLine{}, web.WriteRequest{}, web.Written{}, web.ActRequest{}, web.RoomLog{}, web.LogLine{}, web.HideRequest{}, web.ReactRequest{}, web.CaptionRequest{}, web.ConsentRequest{},
	} {
		shapes[reflect.TypeOf(v).Name()] = reflect.TypeOf(v)
	}
	for name := range schemas {
		if shapes[name] == nil {
			t.Errorf("schema %s describes nothing", name)
		}
	}
	for name, shape := range shapes {
		want := schema{Type: "object", Properties: map[string]schema{}}
		fields(shape, &want)
		got := schemas[name]
		if got.Type != "object" {
			t.Errorf("%s is not described", name)
		}
		slices.Sort(got.Required)
		slices.Sort(want.Required)
		if !slices.Equal(got.Required, want.Required) {
			t.Errorf("%s requires %v, described as %v", name, want.Required, got.Required)
		}
		for field := range maps.Keys(got.Properties) {
			if _, there := want.Properties[field]; !there {
				t.Errorf("%s.%s is described and not there", name, field)
			}
		}
		for field, is := range want.Properties {
			if described := got.Properties[field]; described.kind() != is.kind() {
				t.Errorf("%s.%s is %q, described as %q", name, field, is.kind(), described.kind())
			}
		}
	}
}

// kind gives a schema's type in a word.
func (s schema) kind() string {
	if s.Items != nil {
		return s.Type + " of " + s.Items.kind()
	}
	return s.Ref + s.Type
}

// fields adds to s what a struct's JSON has.
func fields(shape reflect.Type, s *schema) {
	for i := range shape.NumField() {
		field := shape.Field(i)
		if field.Anonymous {
			fields(field.Type, s)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		s.Properties[name] = typed(field.Type)
		if options != "omitempty" {
			s.Required = append(s.Required, name)
		}
	}
}

// typed gives the schema of a field.
func typed(shape reflect.Type) schema {
	switch shape.Kind() {
	case reflect.Pointer:
		return typed(shape.Elem())
	case reflect.Bool:
		return schema{Type: "boolean"}
	case reflect.String:
		return schema{Type: "string"}
	case reflect.Float64:
		return schema{Type: "number"}
	case reflect.Slice:
		items := typed(shape.Elem())
		return schema{Type: "array", Items: &items}
	case reflect.Map:
		return schema{Type: "object"}
	case reflect.Struct:
		if shape == reflect.TypeFor[time.Time]() {
			return schema{Type: "string"}
		}
		return schema{Ref: "#/components/schemas/" + shape.Name()}
	}
	return schema{Type: "integer"}
}
