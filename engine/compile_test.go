// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

// small is a sound workflow that the cases spoil.
const small = `
fields: [{name: days, type: Integer}, {name: who, type: User}]
displayFields: [sn, days]
states:
- {name: new, type: Start, form: [{field: title, access: Required}, {field: days, access: Optional}], transitions: [{name: go, to: work}]}
- {name: work, participants: {users: [lilei]}, transitions: [{name: done, to: end}]}
- {name: end, type: End}
`

func TestCompileNamesEveryProblem(t *testing.T) {
	cases := map[string]struct {
		from, to string // what is replaced in small
		want     []string
	}{
		"a sound workflow has none":                    {"", "", nil},
		"a transition to nowhere":                      {"name: done, to: end", "name: done, to: moon", []string{`spec.states[work].transitions[done].to: there is no state "moon"`, "spec.states[end]: the state is unreachable"}},
		"an unreachable state":                         {"- {name: end", "- {name: island, participants: {users: [lilei]}, transitions: [{name: x, to: end}]}\n- {name: end", []string{"spec.states[island]: the state is unreachable"}},
		"a state without a way on":                     {"transitions: [{name: done, to: end}]", "", []string{"spec.states[work].transitions: the state is a dead end", "spec.states[end]: the state is unreachable"}},
		"a circle that comes to no end":                {"name: done, to: end", "name: done, to: new", []string{"spec.states[end]: the state is unreachable"}},
		"no start":                                     {"name: new, type: Start", "name: new", []string{"spec.states: there is no start state"}},
		"two starts":                                   {"name: work,", "name: work, type: Start,", []string{"spec.states[work].type: there is a start state already"}},
		"no end":                                       {"- {name: end, type: End}", "- {name: end, transitions: [{name: x, to: new}]}", []string{"spec.states: there is no end state"}},
		"an end with a way on":                         {"name: end, type: End", "name: end, type: End, transitions: [{name: x, to: new}]", []string{"spec.states[end].transitions: an end state has no transitions"}},
		"a form with an unknown field":                 {"field: days", "field: nights", []string{`spec.states[new].form: there is no field "nights"`}},
		"a built-in field that is to be filled":        {"field: title", "field: sn", []string{`spec.states[new].form: the built-in field "sn" can only be ReadOnly`}},
		"an unknown display field":                     {"[sn, days]", "[sn, nights]", []string{`spec.displayFields: there is no field "nights"`}},
		"a reserved field":                             {"{name: who,", "{name: participant,", []string{`spec.fields[participant].name: "participant" is reserved`}},
		"choices that are missing":                     {"{name: who, type: User}", "{name: who, type: Radio}", []string{"spec.fields[who].choices: a field of type Radio needs choices"}},
		"participants from an unknown field":           {"users: [lilei]", "fields: [nobody]", []string{`spec.states[work].participants.fields: there is no field "nobody"`}},
		"a script with two ways on":                    {"participants: {users: [lilei]}, transitions: [", "participants: {script: s}, transitions: [{name: x, to: new}, ", []string{"spec.states[work].transitions: a script leads on by exactly one transition, not 2"}},
		"a condition over an unknown field":            {"name: go, to: work", "name: go, to: work, routes: [{when: fields.nights > 3, to: end}]", []string{"routes[0].when: wrong CEL", "nights"}},
		"a condition that does not parse":              {"name: go, to: work", "name: go, to: work, routes: [{when: fields.days >, to: end}]", []string{"routes[0].when: wrong CEL"}},
		"a condition that is no condition":             {"name: go, to: work", "name: go, to: work, routes: [{when: fields.days, to: end}]", []string{"it must be true or false, not int"}},
		"a condition that compares text with a number": {"name: go, to: work", "name: go, to: work, routes: [{when: fields.who > 3, to: end}]", []string{"routes[0].when: wrong CEL"}},
		"a route to nowhere":                           {"name: go, to: work", "name: go, to: work, routes: [{when: fields.days > 3, to: moon}]", []string{`routes[0].to: there is no state "moon"`}},
		"a rule that is no rule":                       {"{name: days, type: Integer}", "{name: days, type: Integer, validation: self + 1}", []string{"spec.fields[days].validation: wrong CEL"}},
		"a timer of no time":                           {"name: done, to: end", "name: done, to: end, after: 0s", []string{"spec.states[work].transitions[done].after"}},
		"a retention of no time":                       {"displayFields", "retention: {afterFinished: 0s}\ndisplayFields", []string{"spec.retention.afterFinished: it must be longer than 0"}},
		"sub-tickets in a circle":                      {"participants: {users: [lilei]}, transitions: [{name: done, to: end}]}", "participants: {children: {}}, transitions: [{name: done, to: more}, {name: late, to: end, after: 1h}]}\n- {name: more, participants: {children: {}}, transitions: [{name: back, to: work}]}", []string{"spec.states[work].transitions: the state waits for sub-tickets and leads back", "spec.states[more].transitions: the state waits"}},
		"sub-tickets in a circle with a person":        {"users: [lilei]}, transitions: [{name: done, to: end}]}", "users: [lilei]}, transitions: [{name: done, to: end}, {name: more, to: more}]}\n- {name: more, participants: {children: {}}, transitions: [{name: back, to: work}]}", nil},
		"an approval that is no approval":              {"users: [lilei]}", "users: [lilei]}, distribution: All, approval: {require: {percent: 101}}", []string{"spec.states[work].approval.require"}},
		"features that come later do no harm":          {"users: [lilei]}", `hook: {url: "https://example.com"}}`, nil},
		"a state behind a route alone is reachable":    {"name: go, to: work", "name: go, to: end, routes: [{when: 'has(fields.days)', to: work}]", nil},
		"a state behind a timer alone is reachable":    {"transitions: [{name: done, to: end}]", "transitions: [{name: done, to: new}, {name: late, to: end, after: 1h}]", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(small, tc.from, tc.to, 1)
			if tc.from != "" && text == small {
				t.Fatal("the case spoils nothing")
			}
			s := spec(t, text)
			graph, problems := engine.Compile("it", "small", s, wireIDs(s))
			if (graph == nil) != (len(problems) > 0) {
				t.Errorf("got a graph: %t, and problems: %v", graph != nil, problems)
			}
			texts := make([]string, 0, len(problems))
			for _, problem := range problems {
				texts = append(texts, problem.String())
			}
			all := strings.Join(texts, "\n")
			for _, want := range tc.want {
				if !strings.Contains(all, want) {
					t.Errorf("nothing says %q; got:\n%s", want, all)
				}
			}
			if tc.want == nil && all != "" {
				t.Errorf("got problems:\n%s", all)
			}
		})
	}
}

func TestConvert(t *testing.T) {
	field := func(kind v1alpha1.FieldType) v1alpha1.Field {
		return v1alpha1.Field{Name: "f", Type: kind, Choices: []v1alpha1.Choice{{Key: "1"}, {Key: "a"}}}
	}
	wrong := struct{ wrong bool }{true}
	cases := map[string]struct {
		kind v1alpha1.FieldType
		raw  any
		want any
	}{
		"text that is a number":               {v1alpha1.FieldInteger, "2", int64(2)},
		"a number without a fraction":         {v1alpha1.FieldInteger, 3.0, int64(3)},
		"2.7 is no Integer":                   {v1alpha1.FieldInteger, 2.7, wrong},
		"the largest integer":                 {v1alpha1.FieldInteger, "9223372036854775807", int64(9223372036854775807)},
		"beyond the largest integer":          {v1alpha1.FieldInteger, "9223372036854775808", wrong},
		"true is no Integer":                  {v1alpha1.FieldInteger, true, wrong},
		"a Number from text":                  {v1alpha1.FieldNumber, "2.5", 2.5},
		"NaN is no Number":                    {v1alpha1.FieldNumber, "NaN", wrong},
		"a Boolean from 1":                    {v1alpha1.FieldBoolean, int64(1), true},
		"a Boolean from False":                {v1alpha1.FieldBoolean, "False", false},
		"2 is no Boolean":                     {v1alpha1.FieldBoolean, int64(2), wrong},
		"a Date":                              {v1alpha1.FieldDate, "2018-04-10", "2018-04-10"},
		"a Date with a midnight":              {v1alpha1.FieldDate, "2018-04-10T00:00:00", "2018-04-10"},
		"a Date with a time of day":           {v1alpha1.FieldDate, "2018-04-10T17:39:33", wrong},
		"the 30th of February":                {v1alpha1.FieldDate, "2018-02-30", wrong},
		"a DateTime with a T":                 {v1alpha1.FieldDateTime, "2018-04-10T17:39:33", "2018-04-10 17:39:33"},
		"a DateTime from a date is midnight":  {v1alpha1.FieldDateTime, "2018-04-10", "2018-04-10 00:00:00"},
		"a DateTime that says its zone":       {v1alpha1.FieldDateTime, "2018-04-10T17:39:33Z", "2018-04-11 01:39:33"},
		"a DateTime as scripts print it":      {v1alpha1.FieldDateTime, "2018-04-10 17:39:33+02:00", "2018-04-10 23:39:33"},
		"a DateTime of a whole second":        {v1alpha1.FieldDateTime, "2018-04-10T17:39:33.000Z", "2018-04-11 01:39:33"},
		"a DateTime with a part of a second":  {v1alpha1.FieldDateTime, "2018-04-10T17:39:33.5", wrong},
		"a DateTime beyond the last year":     {v1alpha1.FieldDateTime, "9999-12-31T23:59:59-12:00", wrong},
		"a DateTime before the first year":    {v1alpha1.FieldDateTime, "0000-01-01T00:00:00+14:00", wrong},
		"a DateTime in no zone that there is": {v1alpha1.FieldDateTime, "2018-04-10T17:39:33+99:00", wrong},
		"a Date that says a zone":             {v1alpha1.FieldDate, "2018-04-10T00:00:00Z", wrong},
		"a Date with a part of a second":      {v1alpha1.FieldDate, "2018-04-10T00:00:00.5", wrong},
		"a Radio's number":                    {v1alpha1.FieldRadio, int64(1), "1"},
		"a Radio that is no choice":           {v1alpha1.FieldRadio, "9", wrong},
		"a Select":                            {v1alpha1.FieldSelect, "a", "a"},
		"a Checkbox from a list":              {v1alpha1.FieldCheckbox, []any{"1", "a", "a"}, "1,a"},
		"a MultiSelect from text with commas": {v1alpha1.FieldMultiSelect, "1, a", "1,a"},
		"a MultiSelect that is no choice":     {v1alpha1.FieldMultiSelect, "1,z", wrong},
		"a String from a number":              {v1alpha1.FieldString, int64(7), "7"},
		"a String from an object":             {v1alpha1.FieldString, map[string]any{}, wrong},
		"a String that is too long":           {v1alpha1.FieldString, strings.Repeat("长", 1001), wrong},
		"a Text may be longer":                {v1alpha1.FieldText, strings.Repeat("长", 1001), strings.Repeat("长", 1001)},
		"a User":                              {v1alpha1.FieldUser, "lilei", "lilei"},
		"two names are no User":               {v1alpha1.FieldUser, "lilei,guiji", wrong},
		"Users from a list":                   {v1alpha1.FieldUsers, []any{"lilei", "guiji"}, "lilei,guiji"},
		"a User whose name is a number":       {v1alpha1.FieldUser, int64(10086), "10086"},
		"Users whose names are numbers":       {v1alpha1.FieldUsers, []any{int64(10086), "lilei"}, "10086,lilei"},
		"true is no User":                     {v1alpha1.FieldUser, true, wrong},
		"an Attachment":                       {v1alpha1.FieldAttachment, "/a/b.png", "/a/b.png"},
		"Attachments from a list":             {v1alpha1.FieldAttachment, []any{"/a/b.png", "/c d.txt"}, "/a/b.png,/c d.txt"},
		"a number is no Attachment of a list": {v1alpha1.FieldAttachment, []any{int64(1)}, wrong},
		"null empties":                        {v1alpha1.FieldString, nil, nil},
		"an empty text is no Integer's":       {v1alpha1.FieldInteger, "", nil},
		"an empty text is no Date's":          {v1alpha1.FieldDate, "", nil},
		"an empty text is a String":           {v1alpha1.FieldString, "", ""},
		"an empty text is a Select's":         {v1alpha1.FieldSelect, "", ""},
		"an empty list is a Checkbox's":       {v1alpha1.FieldCheckbox, []any{}, ""},
		"a list of nothing is Users'":         {v1alpha1.FieldUsers, []any{""}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := engine.Field{Field: field(tc.kind)}
			got, err := f.Convert(tc.raw, time.FixedZone("", 8*60*60))
			if tc.want == wrong {
				if err == nil {
					t.Errorf("got %v, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarningsNameWhatLiesOutside(t *testing.T) {
	s := spec(t, strings.Replace(small, "users: [lilei]", "users: [stranger, gone]", 1))
	graph, problems := engine.Compile("it", "small", s, wireIDs(s))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var texts []string
	for _, warning := range engine.Warnings(graph, directory()) {
		texts = append(texts, warning.String())
	}
	want := []string{`spec.states[work].participants: there is no user "stranger"`, `spec.states[work].participants: the user "gone" is not active`}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(vpn)
	f.Add(small)
	f.Fuzz(func(t *testing.T, text string) {
		var s v1alpha1.WorkflowSpec
		if yaml.Unmarshal([]byte(text), &s) != nil {
			t.Skip("it is no workflow")
		}
		graph, problems := engine.Compile("it", "fuzz", s, wireIDs(s))
		if (graph == nil) != (len(problems) > 0) {
			t.Errorf("got a graph: %t, and problems: %v", graph != nil, problems)
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, condition := range []string{
		"fields.days > 3", "has(fields.who) && fields.who == title", "[1,2].all(x, x > 0)", "'who' in dyn(fields) && size(dyn(fields)) == 1",
		"{fields: 1}.size() == 1 && fields == fields", "dyn(fields).exists(k, dyn(fields)[k] == creator)", "type(fields) == type([fields][0])",
	} {
		f.Add(condition)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		s := spec(t, small)
		s.States[0].Transitions[0].Routes = []v1alpha1.Route{{When: v1alpha1.CELExpression(condition), To: "end"}}
		graph, problems := engine.Compile("it", "fuzz", s, wireIDs(s))
		if graph == nil {
			if len(problems) == 0 {
				t.Error("got neither a graph nor a problem")
			}
			return
		}
		w := &walker{t: t, graph: graph, dir: directory(), now: start}
		if r := w.open("go", v1alpha1.JSONObject{"who": ""}); r != nil && strings.Contains(r.Message, "internal error") {
			t.Errorf("%s: %v", condition, r)
		}
	})
}
