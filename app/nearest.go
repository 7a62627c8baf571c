package app

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// nearest is the advice for a key that does not exist: the setting that was
// probably meant, or those of its table.
func nearest(key string) string {
	table, name, _ := cutLast(key, ".")
	known := settings(reflect.TypeFor[file](), "")
	best, distance := "", 4
	for _, k := range known {
		knownTable, knownName, _ := cutLast(k, ".")
		d := edits(key, k)
		if knownTable != table {
			d = min(d, 1+edits(name, knownName)) // the right setting in the wrong table
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	inTable := slices.DeleteFunc(known, func(k string) bool { return !strings.HasPrefix(k, table+".") })
	if len(inTable) == 0 {
		return "remove it"
	}
	return "remove it; [" + table + "] has " + strings.ReplaceAll(strings.Join(inTable, ", "), table+".", "")
}

// settings lists every key of the file, and every table.
func settings(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			keys = append(keys, settings(field.Type, prefix)...)
			continue
		}
		name := prefix + field.Tag.Get("toml")
		inner := field.Type
		if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
			inner = inner.Elem()
		}
		keys = append(keys, name)
		if inner.Kind() == reflect.Struct {
			keys = append(keys, settings(inner, name+".")...)
		}
	}
	return keys
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Closest is the word that was probably meant by one that does not exist; nothing if
// none of them is near.
func Closest(word string, known []string) string {
	best, distance := "", min(3, 1+len(word)/2)
	for _, k := range known {
		if d := edits(word, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}
