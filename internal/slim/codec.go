// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// The format is for this process alone, so that it need not be stable: a struct
// is which of its fields are not zero, and those; a text that comes again is
// where it came first; hexadecimal digits take half a byte. It walks types by
// reflection, so that no field can be forgotten. Reading it costs a tenth of
// what JSON would, and it takes a quarter of the room.

// encoder writes values.
type encoder struct {
	out   []byte
	texts map[string]uint64 // where each came first
}

// decoder reads them in the same order. What it is given was written by an
// encoder: anything else is a bug, and panics.
type decoder struct {
	in    []byte
	texts []string
}

// Kinds of texts, in the two lowest bits of their number.
const (
	again   = iota // the number of an earlier text
	literal        // the length of what follows
	digits         // the length in bytes of the hexadecimal number that follows
)

var timeType = reflect.TypeFor[time.Time]()

func (e *encoder) number(n uint64) { e.out = binary.AppendUvarint(e.out, n) }

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.in)
	d.in = d.in[size:]
	return n
}

func (d *decoder) length() int { return int(d.number()) } //nolint:gosec // that of something in memory

func (e *encoder) text(s string) {
	if at, known := e.texts[s]; known {
		e.number(at<<2 + again)
		return
	}
	e.texts[s] = uint64(len(e.texts))
	if isHex(s) {
		e.number(uint64(len(s)/2)<<2 | digits)
		e.out, _ = hex.AppendDecode(e.out, []byte(s)) // it is
		return
	}
	e.number(uint64(len(s))<<2 | literal)
	e.out = append(e.out, s...)
}

func (d *decoder) text() string {
	n := d.number()
	if n&3 == again {
		return d.texts[n>>2]
	}
	raw := d.in[:n>>2]
	d.in = d.in[n>>2:]
	s := string(raw)
	if n&3 == digits {
		s = hex.EncodeToString(raw)
	}
	d.texts = append(d.texts, s)
	return s
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s)%2 == 0
}

// value writes a value; an error says that there is no way to write its type.
func (e *encoder) value(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		e.text(v.String())
	case reflect.Bool:
		if v.Bool() {
			e.number(1)
		} else {
			e.number(0)
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		e.out = binary.AppendVarint(e.out, v.Int())
	case reflect.Float64:
		e.number(math.Float64bits(v.Float()))
	case reflect.Pointer:
		return e.value(v.Elem()) // a nil one is zero, and not written
	case reflect.Struct:
		return e.fields(v)
	case reflect.Slice:
		return e.items(v)
	case reflect.Map:
		return e.entries(v)
	case reflect.Interface:
		return e.any(v.Elem())
	default:
		return fmt.Errorf("a %s cannot be packed", v.Kind())
	}
	return nil
}

func (d *decoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(d.text())
	case reflect.Bool:
		v.SetBool(d.number() == 1)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(d.in)
		d.in = d.in[size:]
		v.SetInt(n)
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(d.number()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(v.Elem())
	case reflect.Struct:
		d.fields(v)
	case reflect.Slice:
		n := d.length()
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.value(v.Index(i))
		}
	case reflect.Map:
		d.entries(v)
	case reflect.Interface:
		d.any(v)
	}
}

// fields writes a struct: which of its fields are not zero, and those.
func (e *encoder) fields(v reflect.Value) error {
	if v.Type() == timeType {
		e.time(v)
		return nil
	}
	var present uint64
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			present |= 1 << i
		}
	}
	e.number(present)
	for i := range v.NumField() {
		if present&(1<<i) == 0 {
			continue
		}
		if err := e.value(v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) fields(v reflect.Value) {
	if v.Type() == timeType {
		d.time(v)
		return
	}
	present := d.number()
	for i := range v.NumField() {
		if present&(1<<i) != 0 {
			d.value(v.Field(i))
		}
	}
}

func (e *encoder) time(v reflect.Value) {
	t := v.Interface().(time.Time) //nolint:forcetypeassert // its type was looked at
	e.out = binary.AppendVarint(e.out, t.Unix())
	e.number(uint64(t.Nanosecond())) //nolint:gosec // never negative
}

// time reads a time as JSON would: in the local zone.
func (d *decoder) time(v reflect.Value) {
	seconds, size := binary.Varint(d.in)
	d.in = d.in[size:]
	v.Set(reflect.ValueOf(time.Unix(seconds, int64(d.number())))) //nolint:gosec // less than a second
}

func (e *encoder) items(v reflect.Value) error {
	e.number(uint64(v.Len())) //nolint:gosec // never negative
	for i := range v.Len() {
		if err := e.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) entries(v reflect.Value) error {
	e.number(uint64(v.Len())) //nolint:gosec // never negative
	for all := v.MapRange(); all.Next(); {
		e.text(all.Key().String())
		if err := e.value(all.Value()); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) entries(v reflect.Value) {
	n := d.length()
	made := reflect.MakeMapWithSize(v.Type(), n)
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	for range n {
		key.SetString(d.text())
		value.SetZero()
		d.value(value)
		made.SetMapIndex(key, value)
	}
	v.Set(made)
}

// free are the types that a free-form value has, by number; 0 stands for null.
var free = []reflect.Type{
	nil, reflect.TypeFor[bool](), reflect.TypeFor[int64](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
}

func (e *encoder) any(v reflect.Value) error {
	if !v.IsValid() {
		e.number(0)
		return nil
	}
	at := slices.Index(free, v.Type())
	if at < 0 {
		return fmt.Errorf("a %s cannot be packed as a free-form value", v.Type())
	}
	e.number(uint64(at)) //nolint:gosec // never negative
	return e.value(v)
}

func (d *decoder) any(v reflect.Value) {
	at := d.number()
	if at == 0 {
		return
	}
	value := reflect.New(free[at]).Elem()
	d.value(value)
	v.Set(value)
}
