// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Sends requests at a rate that does not depend on the answers, as many independent clients would, and prints as JSON
// what came of them. wrk cannot do this: it sends the next request when the last one is answered.
//
// The gaps between requests are exponential (a Poisson process), from a fixed seed. Latency counts from the moment a
// request was due to be sent, so one that waits for a free connection counts in full; how late the generator itself was
// to notice that moment is reported apart.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

type request struct {
	number int
	issued time.Time
}

type outcome struct {
	latencies []time.Duration
	wrong     int         // answers of another status than the contract's, or of none
	statuses  map[int]int // how many answers of each status; 0 is none
}

type result struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	LateP99  float64 `json:"late_p99"`
	Wrong    int     `json:"wrong"`

	Statuses map[int]int `json:"statuses"`
}

// isBad: one request in ten is for a user that does not exist, as in mix.lua.
func isBad(number int) bool { return number%10 == 9 }

// client answers requests from the queue one after another over one connection.
func client(address string, queue <-chan request) outcome {
	found := outcome{statuses: map[int]int{}}
	var connection net.Conn
	var answers *bufio.Reader
	for next := range queue {
		id, status := "b", http.StatusOK
		if isBad(next.number) {
			id, status = "a", http.StatusBadRequest
		}
		got, reusable := 0, false
		if connection == nil {
			var err error
			if connection, err = net.Dial("tcp", address); err == nil {
				answers = bufio.NewReader(connection)
			}
		}
		if connection != nil {
			got, reusable = exchange(connection, answers, address, id)
		}
		found.statuses[got]++
		if got != status {
			found.wrong++
		}
		if !reusable && connection != nil {
			connection.Close()
			connection = nil
		}
		found.latencies = append(found.latencies, time.Since(next.issued))
	}
	if connection != nil {
		connection.Close()
	}
	return found
}

// exchange sends one request and reads its answer: its status, and whether the connection can be used again.
func exchange(connection net.Conn, answers *bufio.Reader, address, id string) (int, bool) {
	connection.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(connection, "GET /api/v1/users/%s HTTP/1.1\r\nHost: %s\r\n\r\n", id, address); err != nil {
		return 0, false
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, false
	}
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer.StatusCode, err == nil && !answer.Close
}

// sleepUntil is exact to some 60 microseconds; time.Sleep may be a millisecond late.
func sleepUntil(moment time.Time) {
	for left := time.Until(moment); left > 0; left = time.Until(moment) {
		pause := syscall.NsecToTimespec(left.Nanoseconds())
		syscall.Nanosleep(&pause, nil)
	}
}

// issue puts requests into the queue at the given rate, and says how late it was with each.
func issue(queue chan<- request, rate float64, duration time.Duration) []time.Duration {
	runtime.LockOSThread()
	gaps := rand.New(rand.NewSource(1))
	start := time.Now()
	var late []time.Duration
	due := 0.0
	for number := 0; ; number++ {
		due += gaps.ExpFloat64() / rate
		if due > duration.Seconds() {
			close(queue)
			return late
		}
		moment := start.Add(time.Duration(due * float64(time.Second)))
		sleepUntil(moment)
		now := time.Now()
		late = append(late, now.Sub(moment))
		queue <- request{number, now}
	}
}

func percentile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))].Seconds()
}

func main() {
	address := flag.String("address", "", "host:port of the service")
	rate := flag.Float64("rate", 100, "requests per second")
	duration := flag.Duration("duration", 5*time.Second, "for how long")
	connections := flag.Int("connections", 32, "how many requests may be under way at once")
	flag.Parse()
	if runtime.GOMAXPROCS(0) < 4 {
		runtime.GOMAXPROCS(4) // the thread that sleeps must not keep the answers waiting, even on one processor
	}

	queue := make(chan request, 1+2*int(*rate*duration.Seconds())) // never full: a slow service slows nothing down
	outcomes := make([]outcome, *connections)
	var clients sync.WaitGroup
	for number := range outcomes {
		clients.Add(1)
		go func() {
			defer clients.Done()
			outcomes[number] = client(*address, queue)
		}()
	}
	start := time.Now()
	late := issue(queue, *rate, *duration)
	clients.Wait()

	found := result{Seconds: time.Since(start).Seconds(), Statuses: map[int]int{}}
	var latencies []time.Duration
	for _, each := range outcomes {
		latencies = append(latencies, each.latencies...)
		found.Wrong += each.wrong
		for status, count := range each.statuses {
			found.Statuses[status] += count
		}
	}
	slices.Sort(latencies)
	slices.Sort(late)
	found.Requests = len(latencies)
	found.P50, found.P99, found.LateP99 = percentile(latencies, 0.5), percentile(latencies, 0.99), percentile(late, 0.99)
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}
