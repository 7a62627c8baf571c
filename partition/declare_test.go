package partition_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"pgregory.net/rapid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// A message in the tests: which sector is declared in which partition.
func declaredIn(t *rapid.T, message []partition.Declaration) map[abi.SectorNumber]uint64 {
	in := map[abi.SectorNumber]uint64{}
	for _, d := range message {
		if len(d.Sectors) == 0 {
			t.Errorf("an empty declaration for partition %d", d.Partition)
		}
		if !slices.IsSorted(d.Sectors) {
			t.Errorf("sectors do not ascend: %v", d.Sectors)
		}
		for _, n := range d.Sectors {
			if _, twice := in[n]; twice {
				t.Errorf("sector %d is declared twice", n)
			}
			in[n] = d.Partition
		}
	}
	return in
}

func TestAllThatIsFaultyAndReadableIsDeclaredOnceInMessagesThatFitTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var partitions []vigil.Partition
		states := map[uint64]string{}
		for i := range uint64(rapid.IntRange(1, 5).Draw(t, "partitions")) {
			p, its := drawPartition(t, i, 8*i)
			partitions = append(partitions, p)
			maps.Copy(states, its)
		}
		most := partition.Limits{Sectors: rapid.IntRange(1, 16).Draw(t, "sectors"), Partitions: rapid.IntRange(1, 4).Draw(t, "in partitions")}
		want := map[abi.SectorNumber]uint64{}
		var readable []abi.SectorNumber
		for n, state := range states {
			if rapid.Bool().Draw(t, "readable") {
				readable = append(readable, abi.SectorNumber(n))
				if state == "faulty" {
					want[abi.SectorNumber(n)] = n / 8
				}
			}
		}
		messages, err := partition.Declare(partitions, readable, most)
		if err != nil {
			t.Fatal(err)
		}
		got := map[abi.SectorNumber]uint64{}
		for i, message := range messages {
			in := declaredIn(t, message)
			if len(in) == 0 || len(in) > most.Sectors || len(message) > most.Partitions {
				t.Errorf("message %d declares %d sectors in %d partitions, at most %+v", i, len(in), len(message), most)
			}
			for n, p := range in {
				if _, twice := got[n]; twice {
					t.Errorf("sector %d is declared in two messages", n)
				}
				got[n] = p
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("declared %v, want %v", got, want)
		}
	})
}

func TestAHalvedMessageLosesNothingAndItsHalvesAreSmaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var message []partition.Declaration
		next := abi.SectorNumber(0)
		for i := range uint64(rapid.IntRange(1, 4).Draw(t, "partitions")) {
			d := partition.Declaration{Partition: i}
			for range rapid.IntRange(1, 9).Draw(t, "sectors") {
				d.Sectors = append(d.Sectors, next)
				next++
			}
			message = append(message, d)
		}
		a, b := partition.Halve(message)
		both := declaredIn(t, a)
		maps.Copy(both, declaredIn(t, b))
		if !maps.Equal(both, declaredIn(t, message)) {
			t.Errorf("%v was halved to %v and %v", message, a, b)
		}
		if larger, smaller := len(partition.Declared(a)), len(partition.Declared(b)); larger-smaller > 1 || larger < smaller {
			t.Errorf("halves of %d and %d sectors", larger, smaller)
		}
	})
}

// Ten full partitions of 32 GiB sectors fit into a message, the eleventh does not.
func TestElevenFullPartitionsAreTwoMessages(t *testing.T) {
	var partitions []vigil.Partition
	var all []abi.SectorNumber
	for i := range uint64(11) {
		var its []abi.SectorNumber
		for n := range abi.SectorNumber(2349) {
			its = append(its, abi.SectorNumber(i)*2349+n)
		}
		set := partition.Set(its)
		partitions = append(partitions, vigil.Partition{Index: i, All: set, Live: set, Faulty: set})
		all = append(all, its...)
	}
	messages, err := partition.Declare(partitions, all, partition.Limits{Sectors: 25_000, Partitions: 3_000})
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != 2 || len(partition.Declared(messages[0])) != 25_000 || len(partition.Declared(messages[1])) != 839 {
		t.Errorf("%d messages", len(messages))
	}
}

// Sectors far apart take more bytes than the network has for a message before
// they are too many; and so many of one partition that their set cannot be
// written are halved too.
func TestAMessageThatIsTooLongIsHalved(t *testing.T) {
	for sentence, each := range map[string][]int{
		"ten partitions": {2349, 2349, 2349, 2349, 2349, 2349, 2349, 2349, 2349, 2349},
		"one partition":  {20_000},
	} {
		var message []partition.Declaration
		total, next := 0, abi.SectorNumber(0)
		for i, n := range each {
			d := partition.Declaration{Partition: uint64(i)}
			for range n {
				d.Sectors = append(d.Sectors, next)
				next += 1 << 20
			}
			message = append(message, d)
			total += n
		}
		if !partition.TooLong(message) {
			t.Fatalf("%s: the message is not too long", sentence)
		}
		messages, err := partition.Fit([][]partition.Declaration{message}, func(m []partition.Declaration) (bool, error) { return partition.TooLong(m), nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			params := partition.Params(7, m)
			var encoded bytes.Buffer
			if err := params.MarshalCBOR(&encoded); err != nil || encoded.Len() > partition.MostBytes {
				t.Errorf("%s: a message of %d bytes, %v", sentence, encoded.Len(), err)
			}
			total -= len(partition.Declared(m))
		}
		if total != 0 || len(messages) < 2 || len(messages) > 4 {
			t.Errorf("%s: %d messages, %d sectors are lost", sentence, len(messages), total)
		}
	}
}

// What is not too long fits whatever deadline it is of: the numbers of the later
// ones take a byte more in each of up to 3,000 declarations.
func TestAMessageFitsWhateverItsDeadline(t *testing.T) {
	fits := 0
	for n := 2_000; n <= 3_000; n += 40 {
		message := make([]partition.Declaration, n)
		for i := range message {
			message[i].Partition = uint64(i)
			for s := range abi.SectorNumber(5) {
				message[i].Sectors = append(message[i].Sectors, abi.SectorNumber(i)<<24+s<<14)
			}
		}
		if partition.TooLong(message) {
			continue
		}
		fits++
		params := partition.Params(47, message)
		var encoded bytes.Buffer
		if err := params.MarshalCBOR(&encoded); err != nil || encoded.Len() > partition.MostBytes {
			t.Fatalf("%d partitions are not too long and take %d bytes, %v", n, encoded.Len(), err)
		}
	}
	if fits == 0 || fits > 25 {
		t.Errorf("%d of 26 fit: the test says nothing of the limit", fits)
	}
}
