package config_test

import (
	"reflect"
	"slices"
	"testing"

	"hupwatch/config"
)

func TestEveryFieldOfAServiceIsComparedAndNamedByItsKey(t *testing.T) {
	var keys []string
	for _, k := range config.Keys() {
		if k.Section == "services" {
			keys = append(keys, k.Name)
		}
	}
	of := reflect.TypeFor[config.Service]()
	for i := range of.NumField() {
		if of.Field(i).Name == "Name" {
			continue
		}
		a, b := &config.Service{}, &config.Service{}
		differ(t, reflect.ValueOf(b).Elem().Field(i))
		found := config.Changes(a, b)
		if len(found) != 1 || !slices.Contains(keys, found[0].Key) {
			t.Errorf("%s differs, and that is said to be %v", of.Field(i).Name, found)
		}
	}
}

// differ gives a field another value than it had.
func differ(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("other")
	case reflect.Int, reflect.Int64:
		v.SetInt(77)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}
