package dashboard

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vigil-post/vigil"
)

// alarmLine is an alarm as the pages show it.
type alarmLine struct {
	Code, About, Miner string
	Link               string // to the page of what it is about, if there is one
	Urgent             bool
	Since              time.Time
	By                 time.Time // until when it can be helped, if that is known
	Left               string
	What, Remedy       string
}

// Mark is the alarm's weight, as a sign and a word.
func (a alarmLine) Mark() mark {
	if a.Urgent {
		return mark{"missed", "✕", "power is at stake"}
	}
	return mark{"warning", "!", "look after it"}
}

// alarmLines are the status's alarms: package alarm judges.
func alarmLines(at moment) []alarmLine {
	var lines []alarmLine
	for _, a := range at.Alarms {
		line := alarmLine{
			Code: a.Code, About: a.About, Miner: a.Miner, Link: alarmLink(a, at), Urgent: a.Urgent, Since: a.Since,
			What: sentence(a.What), Remedy: sentence(a.Remedy),
		}
		if a.By > 0 {
			line.By, line.Left = at.at(a.By), left(a.By-at.Head, at.Delay)
		}
		lines = append(lines, line)
	}
	return lines
}

// alarmLink leads to the page of a duty or of a miner.
func alarmLink(a vigil.Alarm, at moment) string {
	if miner, _, isDuty := strings.Cut(a.About, "/"); isDuty {
		if _, err := at.miner(miner); err == nil {
			return dutyPath(a.About)
		}
	}
	for _, name := range []string{a.About, a.Miner} {
		if _, err := at.miner(name); err == nil {
			return minerPath(name)
		}
	}
	return ""
}

// alarmsOf are those that concern a miner: its own, and everybody's.
func alarmsOf(at moment, miner string) []alarmLine {
	return slices.DeleteFunc(alarmLines(at), func(a alarmLine) bool { return a.Miner != "" && a.Miner != miner })
}

func (d *dashboard) alarmsPage(_ *http.Request, at moment) (sight, error) {
	return sight{title: "Alarms", pieces: []piece{{"alarms", "alarms-page", alarmLines(at)}}}, nil
}
