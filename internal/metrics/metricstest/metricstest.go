// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metricstest reads metrics in tests.
package metricstest

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Labels are those that a metric must have; it may have more.
type Labels = prometheus.Labels

// Value is the sum of the metrics of a name that have these labels: of counters
// and gauges their values, of histograms how often they were told something.
func Value(name string, labels Labels) float64 {
	return ValueIn(ctrlmetrics.Registry, name, labels)
}

// ValueIn is Value in another registry.
func ValueIn(from prometheus.Gatherer, name string, labels Labels) float64 {
	sum := 0.0
	for _, metric := range find(from, name, labels) {
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
	}
	return sum
}

// Sum is the sum of all that such histograms were told.
func Sum(name string, labels Labels) float64 {
	sum := 0.0
	for _, metric := range find(ctrlmetrics.Registry, name, labels) {
		sum += metric.GetHistogram().GetSampleSum()
	}
	return sum
}

func find(from prometheus.Gatherer, name string, labels Labels) []*dto.Metric {
	families, err := from.Gather()
	if err != nil {
		panic(err) // two collectors of one name
	}
	var found []*dto.Metric
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if has(metric, labels) {
				found = append(found, metric)
			}
		}
	}
	return found
}

func has(metric *dto.Metric, labels Labels) bool {
	matched := 0
	for _, label := range metric.GetLabel() {
		if want, ok := labels[label.GetName()]; ok && want == label.GetValue() {
			matched++
		}
	}
	return matched == len(labels)
}
