// Package english keeps kubectl from unpacking its translations where no other
// language is asked for: that is nearly half of what one start of it costs, and
// what it says is the same. It has to be imported before what translates.
package english

import (
	"os"

	"k8s.io/kubectl/pkg/util/i18n"
)

func init() {
	if err := i18n.SetLoadTranslationsFunc(load); err != nil {
		panic(err)
	}
}

func load() error {
	// The order in which i18n itself asks for the language.
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		switch os.Getenv(name) {
		case "":
			continue
		case "C", "C.UTF-8", "POSIX":
			return nil
		default:
			return i18n.LoadTranslations("kubectl", nil)
		}
	}
	return nil
}
