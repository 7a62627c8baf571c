package devnet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
)

// FaultKind is what goes wrong with a call of the API. Scenarios and the admin
// API know it by this word.
type FaultKind string

// The kinds of faults.
const (
	FaultHang     FaultKind = "hang"     // the call is heard and never answered; of all methods: nothing comes any more, over connections that stay open
	FaultRefuse   FaultKind = "refuse"   // the connection is closed as soon as the call is made
	FaultError    FaultKind = "error"    // the call is answered by an error of the node
	FaultSlow     FaultKind = "slow"     // the call is answered late
	FaultCut      FaultKind = "cut"      // the call is carried out, and the connection closed before the answer
	FaultTruncate FaultKind = "truncate" // the answer ends in its middle
	FaultGarbage  FaultKind = "garbage"  // the answer is nonsense
	FaultLag      FaultKind = "lag"      // the head and its changes are some epochs old
	FaultLie      FaultKind = "lie"      // the answer is well formed and wrong
)

var faultKinds = []FaultKind{
	FaultHang, FaultRefuse, FaultError, FaultSlow, FaultCut, FaultTruncate, FaultGarbage, FaultLag, FaultLie,
}

// Fault is something wrong with this node, as those see it who talk to it. The
// chain itself goes on.
type Fault struct {
	Kind   FaultKind
	Method string         // without the namespace; all if empty. ChainNotify has the changes that it sends
	Share  float64        // of the calls; all if 0
	Times  int            // of calls, then it is over; no limit if 0
	Epochs abi.ChainEpoch // from the next one on; until Heal if 0
	Delay  time.Duration  // of slow
	By     abi.ChainEpoch // of lag, and of lies about numbers
}

// FaultReport is a fault and how often it struck.
type FaultReport struct {
	Fault
	From  abi.ChainEpoch
	Until abi.ChainEpoch // 0 if it has no end
	Hits  int
}

// faults are the faults of the API, the last one first in importance.
type faults struct {
	mu   sync.Mutex // guards all below
	dice *rand.Rand
	list []*FaultReport
}

func newFaults(seed uint64) *faults { return &faults{dice: rand.New(rand.NewPCG(seed, seed))} }

// Fail makes the API faulty. Several faults may be there at once; of those that
// fit a call the last one strikes.
func (n *Network) Fail(f Fault) error {
	if err := f.Check(); err != nil {
		return err
	}
	s, err := n.ahead(f.Epochs)
	if err != nil {
		return err
	}
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	n.faults.list = append(n.faults.list, &FaultReport{Fault: f, From: n.Epoch(), Until: s.until})
	n.log.Info("the node becomes faulty", "kind", f.Kind, "method", f.Method, "until", s.until)
	return nil
}

// Check says what makes no sense of a fault, and fills in what was left out.
func (f *Fault) Check() error {
	f.Method = strings.TrimPrefix(f.Method, "Filecoin.")
	if f.Share == 0 {
		f.Share = 1
	}
	_, canLie := lies[f.Method]
	switch {
	case !slices.Contains(faultKinds, f.Kind):
		return fmt.Errorf("a fault of kind %q: there are %v", f.Kind, faultKinds)
	case f.Share < 0 || f.Share > 1:
		return fmt.Errorf("a fault of a share of %v of the calls: it lies between 0 and 1", f.Share)
	case f.Times < 0:
		return fmt.Errorf("a fault of %d calls", f.Times)
	case f.Kind == FaultSlow && f.Delay <= 0:
		return fmt.Errorf("a slow call needs a delay")
	case f.Kind == FaultLag && f.By < 1:
		return fmt.Errorf("a node that lags needs to know by how many epochs")
	case f.Kind == FaultLag && f.Method != "" && f.Method != "ChainHead" && f.Method != "ChainNotify":
		return fmt.Errorf("%s cannot lag: only the head does, of ChainHead and ChainNotify", f.Method)
	case f.Kind == FaultLie && !canLie:
		return fmt.Errorf("nobody has taught this node a lie about %q; it knows some about %s", f.Method, strings.Join(liars(), ", "))
	case f.Kind == FaultLie && f.By == 0:
		f.By = 1
	}
	return nil
}

// Heal ends the faults of a method; of all if it is empty.
func (n *Network) Heal(method string) {
	method = strings.TrimPrefix(method, "Filecoin.")
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	n.faults.list = slices.DeleteFunc(n.faults.list, func(f *FaultReport) bool { return method == "" || f.Method == method })
}

// Faults lists the faults since the last Heal, over or not, with how often they struck.
func (n *Network) Faults() []FaultReport {
	n.faults.mu.Lock()
	defer n.faults.mu.Unlock()
	out := []FaultReport{}
	for _, f := range n.faults.list {
		out = append(out, *f)
	}
	return out
}

// any says that there is a fault at an epoch, of whatever method.
func (x *faults) any(now abi.ChainEpoch) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.list, func(f *FaultReport) bool { return f.on(now) })
}

// strike says what goes wrong with a call made when the head is at an epoch, if
// anything does.
func (x *faults) strike(method string, now abi.ChainEpoch) (Fault, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range slices.Backward(x.list) {
		if !f.on(now) || !f.concerns(method) || f.Share < 1 && x.dice.Float64() >= f.Share {
			continue
		}
		f.Hits++
		return f.Fault, true
	}
	return Fault{}, false
}

// silent says that nothing at all comes from this node, not even a pong.
func (x *faults) silent(now abi.ChainEpoch) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.list, func(f *FaultReport) bool {
		return f.on(now) && f.Kind == FaultHang && f.Method == "" && f.Share == 1
	})
}

func (f *FaultReport) on(now abi.ChainEpoch) bool {
	return (f.Until == 0 || now < f.Until) && (f.Times == 0 || f.Hits < f.Times)
}

// concerns says that a fault is of a method. Lagging is of the head only.
func (f *FaultReport) concerns(method string) bool {
	if f.Kind == FaultLag && method != "ChainHead" && method != "ChainNotify" {
		return false
	}
	return f.Method == "" || f.Method == method
}
