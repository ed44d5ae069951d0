// Package deps keeps requirements until the packages that use them are there.
package deps

import (
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
)
