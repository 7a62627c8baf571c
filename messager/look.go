package messager

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// look brings the messages up to what the chain shows, once for each head,
// and gives those that are still open.
func (l *loop) look(ctx context.Context, open []vigil.Message) ([]vigil.Message, error) {
	if l.looked == l.head.Key {
		return open, nil
	}
	known, err := l.c.Store.Scanned(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(known, func(h vigil.Head) bool { return h.Key == l.head.Key })
	if at >= 0 && at < len(known)-1 {
		return open, nil // a node that is behind: it knows less than is stored
	}
	seeing, seen := context.WithTimeout(ctx, 2*l.c.patience())
	defer seen()
	s, watched, errScan := l.see(seeing, known, open)
	gathering, gathered := context.WithTimeout(ctx, 2*l.c.patience()) // its own: a scan that takes long must not leave everything undecided
	defer gathered()
	f, errFacts := l.gather(gathering, watched, s)
	if err := errors.Join(errScan, errFacts); err != nil {
		l.warn(ctx, "the chain was not read completely", err)
	} else {
		l.looked = l.head.Key
	}
	return l.settleAll(ctx, watched, s, f)
}

// see reads the chain and says which messages it may have changed: the open
// ones, after a reorg those that were settled in the last 900 epochs, and any
// whose attempts the chain executed when nobody waited for them any more.
func (l *loop) see(ctx context.Context, known []vigil.Head, open []vigil.Message) (sight, []vigil.Message, error) {
	s, watched := sight{known: known, kept: len(known), executed: map[cid.Cid]vigil.Executed{}}, slices.Clone(open)
	kept, fresh, err := l.walk(ctx, known)
	if err != nil {
		return s, watched, err
	}
	s.kept = kept
	if s.forked() {
		settled, err := l.c.Store.IncludedSince(ctx, l.head.Epoch-finality)
		if err != nil {
			return s, watched, err
		}
		watched = append(watched, settled...)
	}
	err = l.read(ctx, &s, fresh, slices.ContainsFunc(watched, pending))
	late, errLate := l.late(ctx, s, watched)
	return s, append(watched, late...), errors.Join(err, errLate)
}

// pending says that an execution of the message would be news.
func pending(m vigil.Message) bool { return len(m.Attempts) > 0 }

// late gives the messages that nobody watches and of which the chain has
// executed an attempt all the same, and notes the messages of our senders that
// are not ours.
func (l *loop) late(ctx context.Context, s sight, watched []vigil.Message) ([]vigil.Message, error) {
	ours := map[cid.Cid]bool{}
	for _, m := range watched {
		for _, a := range m.Attempts {
			ours[a.CID] = true
		}
	}
	var strangers []cid.Cid
	for c, e := range s.executed {
		if _, used := l.senders[e.From]; used && !ours[c] {
			strangers = append(strangers, c)
		}
	}
	if len(strangers) == 0 {
		return nil, nil
	}
	found, err := l.c.Store.MessagesByCID(ctx, strangers)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		for _, a := range m.Attempts {
			ours[a.CID] = true
		}
	}
	for _, c := range strangers {
		if !ours[c] {
			e := s.executed[c]
			l.foreign[l.senders[e.From]] = stranger{e.Nonce, e.Receipt.Epoch, c}
		}
	}
	return slices.DeleteFunc(found, func(m vigil.Message) bool {
		return slices.ContainsFunc(watched, func(w vigil.Message) bool { return w.ID == m.ID })
	}), nil
}

// settleAll writes what has changed, with the scan that explains it, and gives
// the messages that are open then.
func (l *loop) settleAll(ctx context.Context, watched []vigil.Message, s sight, f facts) ([]vigil.Message, error) {
	var changed []vigil.Message
	settled := make([]vigil.Message, len(watched))
	for i, m := range watched {
		settled[i] = settle(m, f, l.c.Confidence)
		if !sameStanding(settled[i], m) {
			settled[i].Updated = time.Now()
			changed = append(changed, settled[i])
		}
	}
	if err := l.saveLook(ctx, s, changed); err != nil {
		return nil, err
	}
	l.report(ctx, watched, settled)
	return slices.DeleteFunc(settled, func(m vigil.Message) bool { return m.Settled }), nil
}

func sameStanding(a, b vigil.Message) bool {
	if a.State != b.State || a.Problem != b.Problem || a.Settled != b.Settled || (a.Receipt == nil) != (b.Receipt == nil) {
		return false
	}
	return a.Receipt == nil || *a.Receipt == *b.Receipt
}

func (l *loop) saveLook(ctx context.Context, s sight, changed []vigil.Message) error {
	known, scanned := s.known, s.scanned
	switch {
	case len(scanned) > 0 && (len(known) == 0 || len(changed) > 0 || scanned[len(scanned)-1].Key != known[len(known)-1].Key):
		return l.c.Store.SaveScan(ctx, scanned, changed)
	case len(changed) > 0:
		return l.c.Store.SaveMessages(ctx, l.c.Holder, changed...)
	}
	return nil
}
